/** The parts of docs/benchmarks that programs write. Each is between two comments that name it. */

/** The comments before and after the section called `name`. */
export function markersOf(name: string): readonly [string, string] {
  return [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`];
}

/** Puts `text` between the markers of a section. Throws if the document lacks them. */
export function replaceSection(document: string, name: string, text: string): string {
  const [begin, end] = markersOf(name);
  const from = document.indexOf(begin);
  const to = document.indexOf(end, from);
  if (from < 0 || to < 0) {
    throw new Error(
      `Cannot update the report: the document lacks "${begin}" and "${end}" after it`,
    );
  }
  return `${document.slice(0, from + begin.length)}\n${text.trimEnd()}\n${document.slice(to)}`;
}
