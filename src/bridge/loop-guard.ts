// The loop guard: notices a MAC that moves to and fro between two members of a domain, which is what a loop behind them
// looks like, and keeps flooding between these two within bounds until it has calmed.
//
//   1. moves of a MAC between two members are counted over a second; the table is small, and who is in it stays for that
//      second
//   2. more than MAX_MOVES of them begin an episode of these two members
//   3. while the episode lasts, at most FLOODS_PER_SECOND frames are flooded from one of the two to the other
//   4. it ends when neither a move of that many nor a frame above the bound has been seen for CALM_SECONDS
//
// A loop without a guard keeps every broadcast going round for ever, and learning with it. With it, what goes round is lost
// within a second, while a broadcast now and then still finds its way.
//
// The episodes stand in shared memory: one thread writes, another reports them (assembly, loop-reporter.ts).

import { hashPair } from '../core/pair-map.ts';

/** Moves of one MAC in one second that are still no loop: a host that fails over, a guest that migrates. */
export const MAX_MOVES = 10;
export const FLOODS_PER_SECOND = 50;
export const CALM_SECONDS = 10;
/** Pairs of members that can be guarded at once. */
export const MAX_EPISODES = 64;

const TRACKED = 1024;

/** Words of an episode in the shared memory. */
export const EpisodeField = {
  /** 1 while it lasts; what ended stays to be read until its place is needed. */
  isActive: 0,
  /** Grows with every episode, over all places; 0: the place was never used. */
  serial: 1,
  memberA: 2,
  memberB: 3,
  domain: 4,
  /** The MAC that was noticed first. */
  macHigh: 5,
  macLow: 6,
  /** Moves of any MAC between the two since the episode began. */
  moves: 7,
  /** Frames that were not flooded. */
  drops: 8,
  startedSecond: 9,
  /** Second in which the last sign of it was seen. */
  lastSecond: 10,
} as const;
export const EPISODE_STRIDE = 16;

export class LoopGuard {
  readonly episodes = new Int32Array(new SharedArrayBuffer(MAX_EPISODES * EPISODE_STRIDE * 4));
  /** Episodes that last: while there are none, nobody needs to ask `admits`. */
  active = 0;
  #serial = 0;

  // What is tracked: by a hash of (domain, MAC, both members).
  readonly #keyLow = new Int32Array(TRACKED);
  readonly #keyHigh = new Int32Array(TRACKED);
  readonly #pair = new Int32Array(TRACKED);
  readonly #second = new Int32Array(TRACKED).fill(-1);
  readonly #moves = new Int32Array(TRACKED);

  // Of each episode: the second that floods are counted in, and how many there were.
  readonly #floodSecond = new Int32Array(MAX_EPISODES);
  readonly #floods = new Int32Array(MAX_EPISODES);

  /** A station was heard behind another member than before. */
  moved(domain: number, macHigh: number, macLow: number, from: number, to: number, second: number): void {
    const known = this.active === 0 ? -1 : this.#find(from, to);
    if (known !== -1) this.episodes[known + EpisodeField.moves]! += 1;
    const key = (domain << 16) | macHigh;
    const pair = (Math.min(from, to) << 16) ^ Math.max(from, to);
    const at = hashPair(hashPair(macLow, key), pair) & (TRACKED - 1);
    const isTracked = this.#keyLow[at] === macLow && this.#keyHigh[at] === key && this.#pair[at] === pair;
    if (this.#second[at] !== second) {
      this.#keyLow[at] = macLow;
      this.#keyHigh[at] = key;
      this.#pair[at] = pair;
      this.#second[at] = second;
      this.#moves[at] = 0;
    } else if (!isTracked) {
      return;
    }
    this.#moves[at]! += 1;
    if (this.#moves[at]! <= MAX_MOVES) return;
    if (known !== -1) this.episodes[known + EpisodeField.lastSecond] = second;
    else this.#begin(domain, macHigh, macLow, from, to, second);
  }

  /** Whether a frame may be flooded from one member to another; to be asked once a frame and recipient. */
  admits(from: number, to: number, second: number): boolean {
    const at = this.#find(from, to);
    if (at === -1) return true;
    const index = at / EPISODE_STRIDE;
    if (this.#floodSecond[index] !== second) {
      this.#floodSecond[index] = second;
      this.#floods[index] = 0;
    }
    this.#floods[index]! += 1;
    if (this.#floods[index]! <= FLOODS_PER_SECOND) return true;
    this.episodes[at + EpisodeField.drops]! += 1;
    this.episodes[at + EpisodeField.lastSecond] = second;
    return false;
  }

  /** Ends what has calmed; a few times a second. */
  tick(second: number): void {
    if (this.active === 0) return;
    const { episodes } = this;
    for (let at = 0; at < episodes.length; at += EPISODE_STRIDE) {
      if (episodes[at + EpisodeField.isActive] === 0) continue;
      if (second - episodes[at + EpisodeField.lastSecond]! > CALM_SECONDS) this.#end(at);
    }
  }

  /** Ends the episodes of a member that goes away: its number may be another's. */
  forgetMember(member: number): void {
    const { episodes } = this;
    for (let at = 0; at < episodes.length; at += EPISODE_STRIDE) {
      if (episodes[at + EpisodeField.isActive] === 0) continue;
      if (episodes[at + EpisodeField.memberA] === member || episodes[at + EpisodeField.memberB] === member)
        this.#end(at);
    }
  }

  /** Word index of the episode of two members that lasts, or -1. */
  #find(one: number, other: number): number {
    const { episodes } = this;
    const a = Math.min(one, other);
    const b = Math.max(one, other);
    for (let at = 0; at < episodes.length; at += EPISODE_STRIDE) {
      if (
        episodes[at + EpisodeField.isActive] === 1 &&
        episodes[at + EpisodeField.memberA] === a &&
        episodes[at + EpisodeField.memberB] === b
      ) {
        return at;
      }
    }
    return -1;
  }

  #begin(domain: number, macHigh: number, macLow: number, from: number, to: number, second: number): void {
    const at = this.#oldestPlace();
    if (at === -1) return;
    const { episodes } = this;
    episodes[at + EpisodeField.memberA] = Math.min(from, to);
    episodes[at + EpisodeField.memberB] = Math.max(from, to);
    episodes[at + EpisodeField.domain] = domain;
    episodes[at + EpisodeField.macHigh] = macHigh;
    episodes[at + EpisodeField.macLow] = macLow;
    episodes[at + EpisodeField.moves] = MAX_MOVES + 1;
    episodes[at + EpisodeField.drops] = 0;
    episodes[at + EpisodeField.startedSecond] = second;
    episodes[at + EpisodeField.lastSecond] = second;
    this.#floodSecond[at / EPISODE_STRIDE] = -1;
    this.#serial += 1;
    // Last, and so that the other thread sees what stands before it.
    Atomics.store(episodes, at + EpisodeField.isActive, 1);
    Atomics.store(episodes, at + EpisodeField.serial, this.#serial);
    this.active += 1;
  }

  #end(at: number): void {
    Atomics.store(this.episodes, at + EpisodeField.isActive, 0);
    this.active -= 1;
  }

  /** The place whose episode ended longest ago, or -1 when all last. */
  #oldestPlace(): number {
    const { episodes } = this;
    let oldest = -1;
    for (let at = 0; at < episodes.length; at += EPISODE_STRIDE) {
      if (episodes[at + EpisodeField.isActive] === 1) continue;
      if (oldest === -1 || episodes[at + EpisodeField.serial]! < episodes[oldest + EpisodeField.serial]!) oldest = at;
    }
    return oldest;
  }
}

/** An episode as another thread reads it. */
export type Episode = {
  serial: number;
  isActive: boolean;
  members: readonly [number, number];
  domain: number;
  macHigh: number;
  macLow: number;
  moves: number;
  drops: number;
};

/** The episodes that were, oldest first. */
export function readEpisodes(buffer: SharedArrayBuffer): Episode[] {
  const words = new Int32Array(buffer);
  const found: Episode[] = [];
  for (let at = 0; at < words.length; at += EPISODE_STRIDE) {
    const serial = Atomics.load(words, at + EpisodeField.serial);
    if (serial === 0) continue;
    found.push({
      serial,
      isActive: words[at + EpisodeField.isActive] === 1,
      members: [words[at + EpisodeField.memberA]!, words[at + EpisodeField.memberB]!],
      domain: words[at + EpisodeField.domain]!,
      macHigh: words[at + EpisodeField.macHigh]!,
      macLow: words[at + EpisodeField.macLow]!,
      moves: words[at + EpisodeField.moves]!,
      drops: words[at + EpisodeField.drops]!,
    });
  }
  return found.sort((one, other) => one.serial - other.serial);
}
