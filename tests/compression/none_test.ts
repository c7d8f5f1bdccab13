import { test } from "node:test";
import { noneCompressor } from "../../src/compression/none.ts";
import { checkLengths, checkRoundTrips, checkTruncations } from "./codec_checks.ts";

test("none decodes what it encoded", () => {
  checkRoundTrips(noneCompressor(), noneCompressor());
});

test("none refuses stored bytes of another length than expected", () => {
  checkTruncations(noneCompressor());
  checkLengths(noneCompressor());
});
