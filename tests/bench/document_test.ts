import assert from "node:assert/strict";
import { test } from "node:test";
import { markersOf, replaceSection } from "../../bench/document.ts";

test("Only what stands between the markers of a section is replaced", () => {
  const [begin, end] = markersOf("bench/peers node");
  const document = `# Title\n${begin}\nold\n${end}\nafter\n`;
  const once = replaceSection(document, "bench/peers node", "new\n\n");
  assert.equal(once, `# Title\n${begin}\nnew\n${end}\nafter\n`);
  assert.equal(replaceSection(once, "bench/peers node", "new"), once);
  assert.throws(
    () => replaceSection(document, "bench/peers bun", "new"),
    /lacks "<!-- bench\/peers bun: begin/,
  );
});
