//! What the guide of the SDK shows is run as it stands there.

use anyhow::{Result, ensure};
use headwater_tests::origin::Origin;
use headwater_tests::{heavy_turn, tools};

use super::pages::Pages;

/// The server that the guide speaks of.
const SERVER: &str = "https://media.example.org";

#[test]
fn the_examples_of_the_guide_work() -> Result<()> {
    let _turn = heavy_turn();
    let guide = std::fs::read_to_string(tools::package().join("../docs/guide/web-sdk.md"))?;
    let examples: Vec<&str> = guide.split("```js\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    ensure!(examples.len() >= 6, "only {} examples", examples.len());
    let origin = Origin::with(&[], &["--demo"])?;
    origin.wait_published("demo")?;
    for (number, example) in examples.iter().enumerate() {
        let mut pages = Pages::of(&origin.page("/"))?;
        pages.open("page", "/healthz")?;
        let elements =
            ["video#mine", "video#theirs", "div#box", "canvas#board", "select#cameras", "button#mute", "p#words"];
        for element in elements {
            let (tag, id) = element.split_once('#').unwrap_or((element, ""));
            pages.run(
                "page",
                &format!("const made = document.createElement('{tag}'); made.id = '{id}'; document.body.append(made);"),
            )?;
        }
        // A function body takes no import statement, and the examples that only go on have the beginning of the first.
        let server = origin.page("");
        let script =
            example.replace(SERVER, &server).replace("import {", "const {").replace("} from '", "} = await import('");
        let script = script.replace(".js';", ".js');");
        let begin = format!(
            "const {{ createSession, devices }} = await import('{server}/assets/sdk/headwater.js');\nconst session = createSession();"
        );
        let script = if example.contains("import {") { script } else { format!("{begin}\n{{\n{script}\n}}") };
        pages.run("page", &script).map_err(|error| error.context(format!("example {}:\n{example}", number + 1)))?;
        ensure!(pages.complaints().is_empty(), "example {}: {:?}", number + 1, pages.complaints());
    }
    origin.stop()?;
    Ok(())
}
