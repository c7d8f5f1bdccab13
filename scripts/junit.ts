/**
 * Reads the JUnit XML that `node --test`, `deno test` and `bun test` write, just enough to count
 * tests by outcome and to name the failed ones.
 *
 * The three dialects differ. Node leaves ">" bare in attributes and states its total in a comment;
 * Deno and Bun state it in an attribute. The parser compares the total with the test cases that it
 * found. So a report that it misreads, or that was cut off, is an error and not a smaller number.
 */

/** The content of a report. */
export interface TestReport {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Names of the failed tests, in the order of the report. */
  readonly failedNames: readonly string[];
}

const entities: Readonly<Record<string, string>> = {
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&apos;": "'",
  "&amp;": "&",
};

/** Text with the five named entities resolved; Node escapes quotes twice, so twice. */
function unescapeXml(text: string): string {
  const once = (escaped: string): string =>
    escaped.replace(/&(?:lt|gt|quot|apos|amp);/g, (entity) => entities[entity]!);
  return once(once(text));
}

/**
 * Parses a report.
 *
 * @throws {Error} the text is not a whole JUnit report, or its own total is not the number of
 * test cases in it
 */
export function parseJunit(xml: string): TestReport {
  if (!xml.trimEnd().endsWith("</testsuites>")) {
    throw new Error("Cannot read the test report: it does not end with </testsuites>");
  }
  let passed = 0;
  let skipped = 0;
  const failedNames: string[] = [];
  for (const match of xml.matchAll(/<testcase((?:\s+[\w:-]+="[^"]*")*)\s*(\/?)>/g)) {
    let body = "";
    if (match[2] === "") {
      const start = match.index + match[0].length;
      body = xml.slice(start, xml.indexOf("</testcase>", start));
    }
    if (/<(failure|error)[\s>/]/.test(body)) {
      failedNames.push(unescapeXml(/\sname="([^"]*)"/.exec(match[1]!)?.[1] ?? "(no name)"));
    } else if (/<skipped[\s>/]/.test(body)) {
      skipped++;
    } else {
      passed++;
    }
  }
  const failed = failedNames.length;
  const stated = /<testsuites[^>]*\stests="(\d+)"/.exec(xml) ?? /<!-- tests (\d+) -->/.exec(xml);
  const found = passed + failed + skipped;
  if (stated === null || Number(stated[1]) !== found) {
    throw new Error(
      `Cannot read the test report: it states ${stated?.[1] ?? "no total"}, found ${found} tests`,
    );
  }
  return { passed, failed, skipped, failedNames };
}
