/** Short ASCII text: every length, at every place, and nothing for what is not ASCII. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ASCII_TEXT_MAX, asciiText } from "../../src/value/ascii_text.ts";

test("asciiText makes texts of every length, whatever lies around them", () => {
  for (let length = 0; length <= ASCII_TEXT_MAX; length++) {
    for (let at = 0; at < 8; at++) {
      const bytes = new Uint8Array(at + length + ASCII_TEXT_MAX).fill(0xff);
      let text = "";
      for (let i = 0; i < length; i++) {
        bytes[at + i] = i === 0 ? 0x7f : 32 + i * 5;
        text += String.fromCharCode(bytes[at + i]!);
      }
      assert.equal(asciiText(new DataView(bytes.buffer), at, length), text);
    }
  }
});

test("asciiText makes nothing from text with any byte beyond ASCII", () => {
  for (let length = 1; length <= ASCII_TEXT_MAX; length++) {
    for (let i = 0; i < length; i++) {
      const bytes = new Uint8Array(32).fill(0x61);
      bytes[3 + i] = 0x80;
      assert.equal(asciiText(new DataView(bytes.buffer), 3, length), undefined);
    }
  }
});

test("asciiText makes nothing from longer text, nor if it would read beyond the view", () => {
  const view = new DataView(new ArrayBuffer(40));
  assert.equal(asciiText(view, 0, ASCII_TEXT_MAX + 1), undefined);
  assert.equal(asciiText(view, 40 - ASCII_TEXT_MAX, 3), "\0\0\0");
  assert.equal(asciiText(view, 41 - ASCII_TEXT_MAX, 3), undefined);
});
