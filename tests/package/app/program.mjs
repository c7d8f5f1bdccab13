import * as library from "@tinykvs/core";
import { check } from "./check.mjs";

console.log(await check(library, "./stores"));
