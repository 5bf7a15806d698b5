/**
 * The way of a stream over servers, drawn as a path from where it is published to here.
 */
import { element } from '../dom.js';
import * as format from '../format.js';
import { percent } from './figures.js';

/** More than this share of lost packets is worth a look. */
const LOSS_PERCENT = 2;

/**
 * @param {HTMLElement} place
 * @param {any[]} hops  from here to where it is published, as the API tells them
 */
export function drawRoute(place, hops) {
  const way = [...hops].reverse();
  const wanted = JSON.stringify(way);
  if (place.dataset.shown === wanted) return;
  place.dataset.shown = wanted;
  /** @type {HTMLElement[]} */
  const parts = [];
  way.forEach((hop, index) => {
    // The figures of a hop are of its way from the next one towards the publisher.
    if (index > 0) parts.push(between(hop));
    const place = index === 0 ? 'published here' : index === way.length - 1 ? 'shown here' : 'passes on';
    parts.push(element('li', { class: 'hop', 'data-node': hop.node }, element('strong', {}, hop.node), element('span', {}, `${hop.role.charAt(0)}${hop.role.slice(1).toLowerCase()}, ${place}`)));
  });
  place.replaceChildren(...parts);
}

/** @param {any} hop */
function between(hop) {
  const lost = hop.lostPercent;
  const figures = [
    hop.roundTripMs == null ? '' : `${format.milliseconds(hop.roundTripMs)} RTT`,
    lost == null ? '' : `${percent(lost, lost > 0 && lost < 10 ? 1 : 0)} lost`,
    hop.kbps == null ? '' : format.bitrate(hop.kbps * 1000),
  ].filter(Boolean);
  const arrow = element('i', { class: 'arrow', 'aria-hidden': 'true' });
  const words = element('span', {}, ...(figures.length ? figures.map((text) => element('span', {}, text)) : [element('span', {}, 'no figures yet')]));
  return element('li', { class: `way${lost > LOSS_PERCENT ? ' lossy' : ''}` }, words, arrow);
}
