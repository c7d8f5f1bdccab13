/**
 * The seeded bugs of table_bugs.ts: every one must be caught. `TINYKVS_BUG=name` tries just that
 * one.
 */

import { tableBugs } from "./table_bugs.ts";
import { testBugs } from "./suite.ts";

testBugs("table", tableBugs);
