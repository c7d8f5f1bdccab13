/** Runs when somebody publishes the checkout itself, whose TypeScript npm users cannot load. */

import process from "node:process";

console.error(
  "Cannot publish the checkout: run `npm run build:npm`, then `npm publish ./dist/npm`",
);
process.exit(1);
