// Octets of a stream as they come: UTF-8 as RFC 3629 has it, and only characters that XML 1.0 has.

/** Remembers a character that is cut by the end of what has come. */
export class CharacterCheck {
  /** Octets of the character that are still to come, and its bits so far. */
  #missing = 0;
  #code = 0;
  #least = 0;

  /** How many of the octets are good: all of them, or as many as stand before the first that is not. */
  good(octets: Uint8Array): number {
    const end = octets.length;
    for (let at = 0; at < end; at++) {
      const octet = octets[at]!;
      if (octet >= 0x80 || this.#missing > 0) {
        if (!this.#takes(octet)) return at;
      } else if (octet < 0x20 && octet !== 0x0a && octet !== 0x0d && octet !== 0x09) return at;
    }
    return end;
  }

  /** Forgets the beginning of a character. */
  reset(): void {
    this.#missing = 0;
  }

  /** One octet of a character that has several. */
  #takes(octet: number): boolean {
    if (this.#missing === 0) return this.#begins(octet);
    if (octet >>> 6 !== 0b10) return false;
    this.#code = (this.#code << 6) | (octet & 63);
    this.#missing -= 1;
    return this.#missing > 0 || (this.#code >= this.#least && isXmlCharacter(this.#code));
  }

  #begins(octet: number): boolean {
    if (octet >= 0xc2 && octet < 0xe0) this.#expect(1, octet & 31, 0x80);
    else if (octet >= 0xe0 && octet < 0xf0) this.#expect(2, octet & 15, 0x800);
    else if (octet >= 0xf0 && octet < 0xf5) this.#expect(3, octet & 7, 0x1_0000);
    else return false;
    return true;
  }

  #expect(missing: number, code: number, least: number): void {
    this.#missing = missing;
    this.#code = code;
    this.#least = least;
  }
}

/** Char of XML 1.0: no half of a surrogate pair, no control character but tab, line feed and carriage return. */
export function isXmlCharacter(code: number): boolean {
  if (code < 0x20) return code === 0x09 || code === 0x0a || code === 0x0d;
  return code < 0xd800 || (code >= 0xe000 && code < 0xfffe) || (code >= 0x1_0000 && code <= 0x10_ffff);
}
