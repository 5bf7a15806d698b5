/*
 * Light or dark, before the first paint: the visitor's choice, else the system's.
 * A classic script in the head, so that no page flashes in the wrong colours.
 */
(() => {
  const KEY = 'headwater.theme';
  const root = document.documentElement;
  const system = matchMedia('(prefers-color-scheme: dark)');

  const remembered = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null; // storage is refused: the system's theme will do
    }
  };

  const apply = () => {
    const chosen = remembered();
    root.dataset.theme = chosen === 'light' || chosen === 'dark' ? chosen : system.matches ? 'dark' : 'light';
    const button = document.getElementById('theme');
    button?.setAttribute('aria-pressed', String(root.dataset.theme === 'dark'));
  };

  apply();
  system.addEventListener('change', apply);

  document.addEventListener('DOMContentLoaded', () => {
    apply();
    document.getElementById('theme')?.addEventListener('click', () => {
      const next = root.dataset.theme === 'dark' ? 'light' : 'dark';
      root.dataset.theme = next;
      try {
        localStorage.setItem(KEY, next);
      } catch {
        // it lasts as long as the page
      }
      document.getElementById('theme')?.setAttribute('aria-pressed', String(next === 'dark'));
    });
  });
})();
