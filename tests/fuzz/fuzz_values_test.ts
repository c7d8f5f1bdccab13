/** Fuzzes the decoder of values (fuzz.ts). */

import { test } from "node:test";
import { fuzz } from "./fuzz.ts";
import { valueDecoder } from "./value_decoder.ts";

const file = "tests/fuzz/fuzz_values_test.ts";

test("The decoder of values withstands every input", () => fuzz(valueDecoder, file));
