/** Fuzzes the decoders of logs, manifests and CURRENT (fuzz.ts). */

import { test } from "node:test";
import { fuzz } from "./fuzz.ts";
import { currentDecoder, logDecoder, manifestDecoder } from "./log_decoders.ts";

const file = "tests/fuzz/fuzz_logs_test.ts";

test("The reader of write-ahead logs withstands every input", () => fuzz(logDecoder, file));
test("The decoder of manifests withstands every input", () => fuzz(manifestDecoder, file));
test("The decoder of CURRENT withstands every input", () => fuzz(currentDecoder, file));
