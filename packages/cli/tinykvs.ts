#!/usr/bin/env node
/** The command `tinykvs`. */

import process from "node:process";
import { main } from "./src/main.ts";
import { systemTerminal } from "./src/terminal.ts";

process.exitCode = await main(process.argv.slice(2), systemTerminal());
