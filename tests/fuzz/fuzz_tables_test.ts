/** Fuzzes the decoders of the parts of a table (fuzz.ts). */

import { test } from "node:test";
import { fuzz } from "./fuzz.ts";
import { blockDecoder, filterDecoder, indexDecoder, tailDecoder } from "./table_decoders.ts";

const file = "tests/fuzz/fuzz_tables_test.ts";

test("The decoder of data blocks withstands every input", () => fuzz(blockDecoder, file));
test("The decoder of table indexes withstands every input", () => fuzz(indexDecoder, file));
test("The decoder of filters withstands every input", () => fuzz(filterDecoder, file));
test("The decoder of a table's tail withstands every input", () => fuzz(tailDecoder, file));
