// The network that an address stands for: persistence takes clients of one network for one.

/** Writes the address with all bits behind the first `bits` cleared; four words each, those of IPv4 in the first. */
export function maskAddress(words: Int32Array, bits: number, masked: Int32Array): void {
  for (let word = 0, left = bits; word < 4; word++, left -= 32) {
    if (left >= 32) masked[word] = words[word]!;
    else if (left <= 0) masked[word] = 0;
    else masked[word] = words[word]! & (-1 << (32 - left));
  }
}
