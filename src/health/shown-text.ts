// What others sent, as text for a person: no terminal takes an order from it.

/** Stays as it is when it is done once more, so it may be done where a text comes in, and where it goes out. With escapes for everything that is not to be seen: `\r`, `\n`, `\x1b`, directions of writing. */
export function shownText(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (character) => {
    switch (character) {
      case '\r':
        return '\\r';
      case '\n':
        return '\\n';
      case '\t':
        return '\\t';
    }
    const code = character.codePointAt(0)!;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
}
