// The same member for the same client without any memory of it, by rendezvous hashing (Thaler and Ravishankar, 1998): each member
// has a number that a hash of the client's network and its own key gives, and the highest has the client. When a member goes only
// its own clients move, evenly to all others; when it is back they are its again. All threads and all nodes agree.

import { maskAddress } from '../address-mask.ts';
import type { Client } from '../client.ts';
import { MEMBER_NUMBERS, MemberField } from '../tables.ts';
import type { Candidates } from './candidates.ts';

const masked = new Int32Array(4);

/** What every bit of a number depends on is every bit of another: the end of MurmurHash3 (Appleby, 2011). */
function mix(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** Gives each member the number of its and the client's network, which has so many bits. */
export function rateByRendezvous(candidates: Candidates, members: Int32Array, client: Client, bits: number): void {
  const { rows, values, count } = candidates;
  maskAddress(client.words, bits, masked);
  let network = client.family;
  const wordsOfAddress = client.family === 4 ? 1 : 4;
  for (let word = 0; word < wordsOfAddress; word++) network = mix(Math.imul(network, 0x9e3779b1) + masked[word]!);
  for (let index = 0; index < count; index++) {
    const at = rows[index]! * MEMBER_NUMBERS;
    const keyMore = members[at + MemberField.keyMore]!;
    const hash = mix(mix(network ^ members[at + MemberField.key]!) ^ keyMore);
    // Behind the hash stands what decides between two that are the same.
    values[index] = (hash >>> 0) * 0x10_0000 + (keyMore >>> 12);
  }
}
