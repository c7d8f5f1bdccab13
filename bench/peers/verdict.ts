/** Which targets a run has met. Pure: the figures come from a run, the targets from targets.ts. */

import type { Figures } from "./figures.ts";
import type { Row } from "./results.ts";
import { shortNumber } from "./table_text.ts";
import {
  type Check,
  type FigureSource,
  goRecorded,
  nodeTargets,
  partOfNode,
  stallTarget,
  type Target,
} from "./targets.ts";

/** The outcome of one comparison. */
export interface Judged {
  readonly target: string;
  /** The words. */
  readonly words: string;
  readonly what: string;
  /** Null if it was not measured. */
  readonly figure: number | null;
  readonly bound: number | null;
  /** What the bound is, in words. */
  readonly boundWords: string;
  readonly verdict: "met" | "missed" | "not measured";
  /** Against the best peer of the row. */
  readonly bestPeer: { readonly peer: string; readonly ratio: number } | null;
  /** Against what the Go TinyKVS once did: v0.4.0 and v0.11.1. */
  readonly go: readonly [number, number] | null;
}

function nameOf(source: FigureSource): string {
  if (source.of !== "row") return source.of;
  return source.engine === "tinykvs" ? source.row : `${source.engine} in ${source.row}`;
}

/** The number that a check holds its figure against, and what it is in words. */
function boundOf(check: Check, own: number | undefined, figures: Figures): [
  number | undefined,
  string,
] {
  const { against, figure } = check;
  switch (against.is) {
    case "number":
      return [against.number, ""];
    case "peers": {
      if (figure.of !== "row") throw new TypeError("Only rows are compared with peers");
      const best = own === undefined ? undefined : figures.bestPeer(figure.row, own, against.peers);
      const words = `${against.times}x ${best?.peer ?? "the best peer"}`;
      if (own === undefined || best === undefined) return [undefined, words];
      const peer = figures.isLowerBetter(figure.row) ? own * best.ratio : own / best.ratio;
      return [peer * against.times, words];
    }
    case "figure": {
      const other = figures.find(against.figure);
      const words = `${against.times}x ${nameOf(against.figure)}`;
      return [other === undefined ? undefined : other * against.times, words];
    }
    case "go": {
      if (figure.of !== "row") throw new TypeError("Only rows are compared with Go");
      const recorded = goRecorded[figure.row]?.[against.version];
      const words = `${against.times}x Go ${against.version}, recorded`;
      return [recorded === undefined ? undefined : recorded * against.times, words];
    }
  }
}

function judge({ workload, words }: Target, check: Check, figures: Figures): Judged {
  const own = figures.find(check.figure);
  const [bound, boundWords] = boundOf(check, own, figures);
  const noise = check.noise ?? 0;
  const isMet = own !== undefined && bound !== undefined &&
    (check.bound === "at least" ? own >= bound * (1 - noise) : own <= bound * (1 + noise));
  const row = check.figure.of === "row" ? check.figure.row : undefined;
  const recorded = row === undefined ? undefined : goRecorded[row];
  return {
    target: workload,
    words,
    what: check.what,
    figure: own ?? null,
    bound: bound ?? null,
    boundWords: [
      check.bound,
      bound === undefined ? "?" : shortNumber(bound),
      ...(boundWords === "" ? [] : [`(${boundWords})`]),
      ...(noise === 0 ? [] : [`less ${noise * 100} % noise`]),
    ].join(" "),
    verdict: own === undefined || bound === undefined ? "not measured" : isMet ? "met" : "missed",
    bestPeer:
      (row === undefined || own === undefined ? undefined : figures.bestPeer(row, own, "all")) ??
        null,
    go: recorded === undefined || own === undefined
      ? null
      : [own / recorded["v0.4.0"], own / recorded["v0.11.1"]],
  };
}

/** The targets of a runtime: the table on Node, being ahead and close to Node elsewhere. */
export function targetsFor(
  runtime: string,
  rows: readonly Row[],
  figures: Figures,
  node: Figures | undefined,
): Target[] {
  const ahead: Target = {
    workload: "ahead of every peer in every row",
    words: "ahead of every peer there in every row",
    checks: rows.filter(({ name }) => {
      const own = figures.figure(name, "tinykvs");
      return own !== undefined && figures.bestPeer(name, own, "all") !== undefined;
    }).map(({ name, isLowerBetter }) => ({
      what: name,
      figure: { of: "row", row: name, engine: "tinykvs" },
      bound: isLowerBetter ? "at most" : "at least",
      against: { is: "peers", times: 1, peers: "all" },
    })),
  };
  if (runtime === "node") return [...nodeTargets, ahead];
  const closeToNode: Target = {
    workload: "at least 60 % of Node's figure",
    words: "no row under 60 % of Node's figure without an explanation",
    checks: node === undefined ? [] : rows.flatMap(({ name, isLowerBetter }) => {
      const figure = node.figure(name, "tinykvs");
      // Rows about the disk and about stalls have their own targets.
      if (figure === undefined || name === "stall") return [];
      const number = isLowerBetter ? figure / partOfNode : figure * partOfNode;
      return [{
        what: name,
        figure: { of: "row", row: name, engine: "tinykvs" },
        bound: isLowerBetter ? "at most" : "at least",
        against: { is: "number", number },
      }];
    }),
  };
  return [stallTarget(runtime), ahead, closeToNode];
}

/** Judges every check of every target. */
export function judgeAll(targets: readonly Target[], figures: Figures): Judged[] {
  return targets.flatMap((target) => target.checks.map((check) => judge(target, check, figures)));
}
