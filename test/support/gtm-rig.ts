// Wide IPs, pools and members as tables and a state, made from little: for tests of what chooses among them.

import { compileWideIps } from '../../src/gtm/compile-wide-ips.ts';
import { Client, type TopologyScores } from '../../src/gtm/client.ts';
import { compileTopology } from '../../src/gtm/compile-topology.ts';
import {
  type GtmDescription,
  MEMBER_MODES,
  type MemberMode,
  POOL_MODES,
  type PoolMode,
  type QosWeights,
} from '../../src/gtm/description.ts';
import { MemberSelector, Stage } from '../../src/gtm/member-selector.ts';
import { PoolsAmong, PoolSelector } from '../../src/gtm/pool-selector.ts';
import { Xoshiro } from '../../src/gtm/random.ts';
import { newStateMemory, StateReader, StateWriter } from '../../src/gtm/state-journal.ts';
import {
  MemberBit,
  PATH_WORDS,
  pathSlot,
  PathWord,
  POOL_WORDS,
  PoolWord,
  stateLayout,
  VIRTUAL_SERVER_WORDS,
  VirtualServerWord,
} from '../../src/gtm/state-layout.ts';
import {
  MEMBER_NUMBERS,
  MemberField,
  POOL_NUMBERS,
  PoolField,
  PoolFlag,
  REFERENCE_NUMBERS,
  ReferenceField,
  type TableSettings,
  WIDE_IP_NUMBERS,
  WideIpField,
  type WideIpTables,
  QUALITIES,
} from '../../src/gtm/tables.ts';

const SETTINGS: TableSettings = {
  topologyAllowZeroScores: true,
  staticPersistIpv4Bits: 32,
  staticPersistIpv6Bits: 128,
  drainPersistentRequests: true,
  ignorePathTtl: false,
};

/** What a BIG-IP has as factors (F5-REFERENCE 3.2). */
export const FACTORS: QosWeights = {
  rtt: 10_000,
  hops: 25,
  hitRatio: 10_000,
  kilobytesPerSecond: 1_000_000,
  packetRate: 10_000,
  topology: 10,
  vsCapacity: 1,
  vsScore: 1,
  lcs: 1,
};

/** No objects at all. */
const NOTHING: GtmDescription = {
  settings: {
    ...SETTINGS,
    verifyVsAvailability: true,
    respectFallbackDependency: false,
    pathTtl: 2400,
    topologyLongestMatch: true,
    wideIpZoneNameserver: 'this.name.is.invalid.',
    qosFactors: FACTORS,
  },
  datacenters: [],
  servers: [],
  pools: [],
  wideIps: [],
  regions: [],
  topology: [],
  applications: [],
};

export type RigMember = {
  /** The member's key is made from it; by default from its number. */
  readonly name?: string;
  readonly ratio?: number;
  readonly datacenter?: number;
  /** Without a virtual server. */
  readonly isName?: boolean;
};
export type RigPool = {
  readonly members: readonly RigMember[];
  readonly dynamicRatio?: boolean;
  readonly qos?: Partial<QosWeights>;
  /** Its number in the tables before. */
  readonly carried?: number;
};
export type RigWideIp = {
  readonly mode: PoolMode;
  readonly pools: readonly { readonly pool: number; readonly ratio?: number }[];
  readonly carried?: number;
};
export type Metrics = Partial<Record<Exclude<keyof typeof VirtualServerWord, 'status'>, number>>;

/** A seed as Xoshiro wants it, from a small number. */
export function seedOf(number: number): number[] {
  return [1, 2, 3, 4].map((word) => Math.imul(number + word, 0x9e3779b1) ^ (word << 20));
}

export class GtmRig {
  readonly tables: WideIpTables;
  readonly writer: StateWriter;
  readonly reader: StateReader;
  readonly client = new Client();
  readonly members: MemberSelector;
  readonly pools: PoolSelector;
  /** By subject, which is the number of a member, or of a reference with 1000 added; without one no record says it. */
  readonly scores = new Map<number, number>();
  /** How often a client's class was looked up. */
  lookUps = 0;

  constructor(
    pools: readonly RigPool[],
    wideIps: readonly RigWideIp[] = [],
    settings: Partial<TableSettings> = {},
    seed = 1,
    pathSlots = 64,
  ) {
    this.tables = tablesOf(pools, wideIps, settings, pathSlots);
    const memory = newStateMemory(this.tables.layout);
    this.writer = new StateWriter(memory);
    this.reader = new StateReader(memory);
    const topology: TopologyScores = {
      classOf: () => {
        this.lookUps++;
        return 5;
      },
      score: (topologyClass, subject) => (topologyClass === 5 ? (this.scores.get(subject) ?? -1) : -1),
    };
    const random = new Xoshiro(seedOf(seed));
    this.members = new MemberSelector(this.tables, this.reader, topology, random);
    this.pools = new PoolSelector(this.tables, this.reader, topology, random);
    this.client.setResolver(Uint8Array.of(192, 0, 2, 1), 0, 4);
    this.client.now = 1_000_000;
    for (let member = 0; member < this.tables.layout.members; member++) {
      this.setBits(member, MemberBit.usable | MemberBit.fallback);
      this.measure(member, {
        connections: -1,
        packetsPerSecond: -1,
        kilobytesPerSecond: -1,
        capacity: -1,
        score: -1,
        cpu: -1,
      });
    }
    for (let pool = 0; pool < pools.length; pool++) this.setPool(pool, pools[pool]!.members.length, true);
  }

  /** Bits of a member (MemberBit). */
  setBits(member: number, bits: number): void {
    this.writer.set(this.tables.layout.membersAt + member, bits);
    this.#commit();
  }

  setUsable(member: number, isUsable: boolean): void {
    this.setBits(member, MemberBit.fallback | (isUsable ? MemberBit.usable : 0));
  }

  setPool(pool: number, usable: number, isEnabled: boolean): void {
    const at = this.tables.layout.poolsAt + pool * POOL_WORDS;
    this.writer.set(at + PoolWord.usable, usable);
    this.writer.set(at + PoolWord.enabled, isEnabled ? 1 : 0);
    this.#commit();
  }

  measure(member: number, metrics: Metrics): void {
    for (const [name, value] of Object.entries(metrics)) {
      const word = VirtualServerWord[name as keyof Metrics];
      this.writer.set(member * VIRTUAL_SERVER_WORDS + word, value);
    }
    this.#commit();
  }

  /** Of the client as it is set. */
  measurePath(
    datacenter: number,
    path: { readonly roundTripTime?: number; readonly hops?: number; readonly completionRate?: number },
    expires = this.client.now + 100,
  ): void {
    const { layout } = this.tables;
    const { family, words } = this.client;
    const slot = pathSlot(layout, family, words, datacenter);
    let at = layout.pathsAt + slot * PATH_WORDS;
    for (let step = 1; !this.#isPathOr(at, datacenter); step++) {
      at = layout.pathsAt + ((slot + step) & (layout.pathSlots - 1)) * PATH_WORDS;
    }
    this.writer.set(at + PathWord.family, family);
    for (let word = 0; word < 4; word++) this.writer.set(at + PathWord.address + word, words[word]!);
    this.writer.set(at + PathWord.datacenter, datacenter);
    this.writer.set(at + PathWord.roundTripTime, path.roundTripTime ?? -1);
    this.writer.set(at + PathWord.hops, path.hops ?? -1);
    this.writer.set(at + PathWord.completionRate, path.completionRate ?? -1);
    this.writer.set(at + PathWord.expires, expires);
    this.#commit();
  }

  /** Members in the order chosen; by default one of pool 0, as preferred. */
  choose(mode: MemberMode, options: { pool?: number; stage?: Stage; most?: number } = {}): number[] {
    const { pool = 0, stage = Stage.preferred, most = 1 } = options;
    this.client.topologyClass = -1;
    const count = this.members.choose(pool, MEMBER_MODES.indexOf(mode), stage, this.client, most);
    return [...this.members.chosen.subarray(0, count)];
  }

  /** How often each member of pool 0 was the first that was chosen. */
  count(mode: MemberMode, times: number, options: { stage?: Stage; most?: number } = {}): number[] {
    const counts = new Array<number>(this.tables.pools[PoolField.members]!).fill(0);
    for (let time = 0; time < times; time++) {
      const [first] = this.choose(mode, options);
      if (first !== undefined) counts[first]!++;
    }
    return counts;
  }

  /** The place of the reference that is chosen within its wide IP, or -1. */
  choosePool(wideIp = 0, among: PoolsAmong = PoolsAmong.available, tried: readonly number[] = []): number {
    this.client.topologyClass = -1;
    const at = wideIp * WIDE_IP_NUMBERS;
    const marks = new Uint8Array(this.tables.wideIps[at + WideIpField.references]!);
    for (const place of tried) marks[place] = 1;
    const reference = this.pools.choose(wideIp, this.client, among, marks);
    return reference < 0 ? -1 : reference - this.tables.wideIps[at + WideIpField.firstReference]!;
  }

  #isPathOr(at: number, datacenter: number): boolean {
    const { writer } = this;
    const { words } = this.client;
    if (writer.get(at) === 0) return true;
    return (
      writer.get(at + PathWord.datacenter) === datacenter &&
      [0, 1, 2, 3].every((word) => writer.get(at + PathWord.address + word) === words[word])
    );
  }

  #commit(): void {
    this.writer.commit();
    this.reader.catchUp();
  }
}

function keyOf(text: string): [number, number] {
  let first = 7;
  let second = 11;
  for (const character of text) {
    first = Math.imul(first ^ character.charCodeAt(0), 0x01000193);
    second = Math.imul(second ^ character.charCodeAt(0), 0x5bd1e995) ^ first;
  }
  return [first, second];
}

function tablesOf(
  pools: readonly RigPool[],
  wideIps: readonly RigWideIp[],
  settings: Partial<TableSettings>,
  pathSlots: number,
): WideIpTables {
  const poolRows: number[] = [];
  const memberRows: number[] = [];
  const qos: number[] = QUALITIES.map((quality) => FACTORS[quality]);
  for (const { members, dynamicRatio = false, qos: weights = {} } of pools) {
    const pool = new Array<number>(POOL_NUMBERS).fill(0);
    pool[PoolField.firstMember] = memberRows.length / MEMBER_NUMBERS;
    pool[PoolField.members] = members.length;
    pool[PoolField.flags] = dynamicRatio ? PoolFlag.dynamicRatio : 0;
    pool[PoolField.qos] = qos.length;
    poolRows.push(...pool);
    qos.push(...QUALITIES.map((quality) => weights[quality] ?? 0));
    for (const { name, ratio = 1, datacenter = 0, isName = false } of members) {
      const number = memberRows.length / MEMBER_NUMBERS;
      const member = new Array<number>(MEMBER_NUMBERS).fill(0);
      const [key, keyMore] = keyOf(name ?? `/Common/server-${number}:/Common/vs`);
      member[MemberField.virtualServer] = isName ? -1 : number;
      member[MemberField.ratio] = ratio;
      member[MemberField.datacenter] = datacenter;
      member[MemberField.subject] = number;
      member[MemberField.key] = key;
      member[MemberField.keyMore] = keyMore;
      memberRows.push(...member);
    }
  }
  const wideIpRows: number[] = [];
  const referenceRows: number[] = [];
  for (const { mode, pools: references } of wideIps) {
    const wideIp = new Array<number>(WIDE_IP_NUMBERS).fill(0);
    wideIp[WideIpField.poolMode] = POOL_MODES.indexOf(mode);
    wideIp[WideIpField.firstReference] = referenceRows.length / REFERENCE_NUMBERS;
    wideIp[WideIpField.references] = references.length;
    wideIpRows.push(...wideIp);
    for (const { pool, ratio = 1 } of references) {
      const reference = new Array<number>(REFERENCE_NUMBERS).fill(0);
      reference[ReferenceField.pool] = pool;
      reference[ReferenceField.ratio] = ratio;
      reference[ReferenceField.subject] = 1000 + referenceRows.length / REFERENCE_NUMBERS;
      referenceRows.push(...reference);
    }
  }
  const members = memberRows.length / MEMBER_NUMBERS;
  return {
    ...compileWideIps(NOTHING).tables,
    layout: stateLayout({
      virtualServers: members,
      members,
      pools: pools.length,
      wideIps: wideIps.length,
      pathSlots,
    }),
    wideIps: Int32Array.from(wideIpRows),
    references: Int32Array.from(referenceRows),
    pools: Int32Array.from(poolRows),
    members: Int32Array.from(memberRows),
    memberSlots: new Int32Array(1),
    targets: new Int32Array(0),
    qos: Float64Array.from(qos),
    octets: new Uint8Array(0),
    names: { slots: new Int32Array(0), entries: new Int32Array(0), patterns: new Int32Array(0), patternLabels: 0 },
    topology: compileTopology({ regions: [], topology: [], longestMatch: true }, []),
    settings: { ...SETTINGS, ...settings },
    carriedPools: Int32Array.from(pools, ({ carried = -1 }) => carried),
    carriedWideIps: Int32Array.from(wideIps, ({ carried = -1 }) => carried),
  };
}
