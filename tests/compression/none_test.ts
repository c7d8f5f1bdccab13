import { test } from "node:test";
import { noneCompressor } from "../../src/compression/none.ts";
import { checkLengths, checkRoundTrips, checkTruncations } from "./codec_checks.ts";

test("none gives back what it took", () => {
  checkRoundTrips(noneCompressor(), noneCompressor());
});

test("none refuses stored bytes of another length than expected", () => {
  checkTruncations(noneCompressor());
  checkLengths(noneCompressor());
});
