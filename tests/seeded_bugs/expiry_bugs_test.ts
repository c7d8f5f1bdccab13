/**
 * The seeded bugs of expiry_bugs.ts. A test must catch each one. `TINYKVS_BUG=name` tries only
 * that one.
 */

import { testBugs } from "./suite.ts";
import { expiryBugs } from "./expiry_bugs.ts";

testBugs("expiry", expiryBugs);
