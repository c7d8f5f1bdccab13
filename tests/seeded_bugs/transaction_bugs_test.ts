/**
 * The seeded bugs of transaction_bugs.ts. A test must catch each one. `TINYKVS_BUG=name` tries only
 * that one.
 */

import { testBugs } from "./suite.ts";
import { transactionBugs } from "./transaction_bugs.ts";

testBugs("transactions", transactionBugs);
