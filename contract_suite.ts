/**
 * The conformance suite of the contract: plain functions that any test runner can run against any
 * implementation of `Store`.
 *
 * @example
 * ```ts ignore
 * import { test } from "node:test";
 * import { contractSuite } from "@tinykvs/core/contract-suite";
 * import { openMyStore } from "./my_store.ts";
 *
 * contractSuite({ test, open: () => openMyStore() });
 * ```
 *
 * @module
 */

import { lifeTests } from "./src/contract/suite/lives.ts";
import { rangeTests } from "./src/contract/suite/ranges.ts";
import { scanTests } from "./src/contract/suite/scans.ts";
import { subTypeTests } from "./src/contract/suite/sub_types.ts";
import { subTests } from "./src/contract/suite/subs.ts";
import { expiryTests, noExpiryTests } from "./src/contract/suite/expiry.ts";
import { type ContractSuiteOptions, storeTests } from "./src/contract/suite/suite.ts";
import { transactionTests } from "./src/contract/suite/transactions.ts";
import { valueTests } from "./src/contract/suite/values.ts";
import { watchTests } from "./src/contract/suite/watches.ts";
import { writeTests } from "./src/contract/suite/writes.ts";

export type { ContractSuiteOptions } from "./src/contract/suite/suite.ts";
export type { Store } from "./contract.ts";

/** Declares every test of the contract. Each opens its own store and closes it. */
export function contractSuite(options: ContractSuiteOptions): void {
  const test = storeTests(options);
  valueTests(test, options.maxKeyBytes);
  scanTests(test);
  writeTests(test);
  rangeTests(test);
  transactionTests(test);
  watchTests(test);
  if (options.hasExpiry ?? true) expiryTests(test);
  else noExpiryTests(test);
  lifeTests(test);
  subTests(test);
  subTypeTests(test);
}
