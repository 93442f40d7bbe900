// What a zone answers (RFC 1034, section 4.3.2; wildcards by RFC 4592, DNAME by RFC 6672, negative answers by RFC 2308, ANY by
// RFC 8482). A name that has what was asked for is answered with octets that were rendered when the zone was read; aliases,
// referrals and what is put together from several names are written when they are asked for.

import { hashName } from './name-hash.ts';
import type { MessageWriter } from './message-writer.ts';
import { MAX_NAME_OCTETS } from './name.ts';
import { NegativeAnswers } from './negative-answers.ts';
import { type Query, Rcode } from './query.ts';
import { expandData } from './rendered-data.ts';
import { type Reply, ZoneFinding } from './reply.ts';
import { TYPE } from './record-types.ts';
import {
  findName,
  findNode,
  findSet,
  NODE_NUMBERS,
  NodeField,
  SET_NUMBERS,
  SetField,
  type ZoneTable,
} from './zone-table.ts';

/** Aliases that are followed within a zone. What is behind, a resolver asks for itself. */
export const MAX_ALIASES = 16;

/** What an answer is made of, besides the zone: memory for a message, and how it goes out. */
export type AnswerMeans = {
  readonly writer: MessageWriter;
  /** Octets of the whole message, without OPT, that the sender takes. */
  limit: number;
  /** Whether everything of a name is given to ANY, as over TCP (RFC 8482, section 4.4). */
  isStream: boolean;
};

/** Where a name ended up in a zone. */
const Place = { node: 0, wildcard: 1, referral: 2, dname: 3, nothing: 4 } as const;
type Place = (typeof Place)[keyof typeof Place];

/** Answers from zones, one query at a time. */
export class ZoneAnswerer {
  readonly #negatives = new NegativeAnswers();
  readonly #name = new Uint8Array(MAX_NAME_OCTETS);
  readonly #target = new Uint8Array(MAX_NAME_OCTETS);
  readonly #data = new Uint8Array(65_535);
  /** What `#locate` found: the node, or that of the cut, the wildcard or the DNAME. */
  #node = 0;

  /** Answers a question about a name at or below the origin of `table`. */
  answer(table: ZoneTable, query: Query, reply: Reply, means: AnswerMeans): void {
    reply.clear();
    reply.isAuthoritative = true;
    if (query.type === TYPE.ANY || !this.#answerAtOnce(table, query, reply, means.limit)) {
      this.#compose(table, query, reply, means);
    }
  }

  /** Adds the name servers of the zone to an answer that is there, if they have room. */
  addAuthority(table: ZoneTable, query: Query, reply: Reply, means: AnswerMeans): void {
    const set = findSet(table, 0, TYPE.NS);
    if (set < 0 || reply.isTruncated || reply.additionals > 0) return;
    const { writer } = means;
    writer.start(query, means.limit);
    if (!writer.append(reply.tail, reply.tailAt, reply.tailOctets)) return;
    const { isTruncated } = reply;
    const written = this.#writeSet(table, 0, set, table.octets, table.nodes[NodeField.nameAt]!, writer, reply);
    reply.isTruncated = isTruncated;
    if (written < 0) return;
    reply.authorities += written;
    reply.tail = writer.octets;
    reply.tailAt = writer.tailAt;
    reply.tailOctets = writer.tailOctets;
  }

  /** What needs no look at a second name: records of the name or of its wildcard, and that there are none. */
  #answerAtOnce(table: ZoneTable, query: Query, reply: Reply, limit: number): boolean {
    const { nodes } = table;
    let node = findNode(table, query, 0);
    if (node >= 0) {
      if (this.#isCut(table, node, query.type)) return false;
    } else {
      // The closest encloser: the origin at the latest.
      for (let label = 1; node < 0; label++) node = findNode(table, query, label);
      if (nodes[node * NODE_NUMBERS + NodeField.cut]! >= 0 || findSet(table, node, TYPE.DNAME) >= 0) return false;
      node = nodes[node * NODE_NUMBERS + NodeField.wildcard]!;
    }
    const set = node < 0 ? -1 : findSet(table, node, query.type);
    if (set >= 0) {
      reply.foundHash = nodes[node * NODE_NUMBERS + NodeField.hash]!;
      this.#answerRendered(table, set, query, reply, limit);
      return true;
    }
    if (node >= 0 && findSet(table, node, TYPE.CNAME) >= 0) return false;
    if (node < 0) reply.rcode = Rcode.nxDomain;
    noteNothing(table, reply);
    this.#negatives.answer(table, query, reply);
    if (query.questionEnd - query.start + reply.tailOctets > limit) reply.truncate();
    return true;
  }

  /** Whether the node is delegated away, or hidden by a DNAME. Of a delegation itself the parent has the DS (RFC 4035, 3.1.4.1). */
  #isCut(table: ZoneTable, node: number, type: number): boolean {
    const cut = table.nodes[node * NODE_NUMBERS + NodeField.cut]!;
    return cut >= 0 && !(cut === node && type === TYPE.DS);
  }

  #answerRendered(table: ZoneTable, set: number, query: Query, reply: Reply, limit: number): void {
    const base = set * SET_NUMBERS;
    reply.tail = table.octets;
    reply.tailAt = table.sets[base + SetField.at]!;
    reply.tailOctets = table.sets[base + SetField.octets]!;
    reply.answers = table.sets[base + SetField.records]!;
    if (query.questionEnd - query.start + reply.tailOctets > limit) reply.truncate();
  }

  /** Everything that is not rendered: from the question on, alias by alias, until there is an answer or none. */
  #compose(table: ZoneTable, query: Query, reply: Reply, means: AnswerMeans): void {
    const { writer } = means;
    writer.start(query, means.limit);
    let length = query.nameOctets;
    for (let index = 0; index < length; index++) this.#name[index] = query.octets[query.nameStart + index]!;
    for (let aliases = 0; ; aliases++) {
      const place = this.#locate(table, length, query.type);
      if (aliases === 0) reply.foundHash = table.nodes[this.#node * NODE_NUMBERS + NodeField.hash]!;
      if (place === Place.referral) {
        // What an alias leads out of the zone is not ours to say; a referral of the question itself is no answer (AA clear).
        if (aliases === 0) {
          reply.isAuthoritative = false;
          reply.finding = ZoneFinding.referral;
        }
        this.#writeReferral(table, query, reply, writer);
        break;
      }
      if (place === Place.nothing) {
        reply.rcode = Rcode.nxDomain;
        if (aliases === 0) noteNothing(table, reply);
        this.#writeNegative(table, reply, writer);
        break;
      }
      if (place !== Place.dname) {
        const outcome = this.#writeAnswer(table, query, reply, means);
        if (outcome !== 'alias') break;
        length = this.#follow(table);
      } else {
        const whole = this.#writeDname(table, reply, writer, length);
        // The CNAME that it makes is itself what was asked for.
        if (whole <= 0 || query.type === TYPE.CNAME) break;
        length = whole;
      }
      if (aliases === MAX_ALIASES || !this.#isInside(table, length)) break;
    }
    if (reply.isTruncated) {
      reply.truncate();
      return;
    }
    reply.tail = writer.octets;
    reply.tailAt = writer.tailAt;
    reply.tailOctets = writer.tailOctets;
  }

  /** Where `#name` is in the zone; the node that this is about is in `#node`. */
  #locate(table: ZoneTable, length: number, type: number): Place {
    const labels: number[] = [];
    for (let at = 0; this.#name[at] !== 0; at += this.#name[at]! + 1) labels.push(at);
    const depth = labels.length - table.labels;
    for (let label = 0; label <= depth; label++) {
      const at = labels[label] ?? length - 1;
      const node = findName(table, this.#name, at, length - at, hashName(this.#name, at));
      if (node < 0) continue;
      const cut = table.nodes[node * NODE_NUMBERS + NodeField.cut]!;
      if (cut >= 0 && (label > 0 || this.#isCut(table, node, type))) {
        this.#node = cut;
        const isDelegation = cut !== node ? findSet(table, cut, TYPE.DNAME) < 0 : true;
        return isDelegation ? Place.referral : Place.dname;
      }
      this.#node = node;
      if (label === 0) return Place.node;
      if (findSet(table, node, TYPE.DNAME) >= 0) return Place.dname;
      const wildcard = table.nodes[node * NODE_NUMBERS + NodeField.wildcard]!;
      if (wildcard < 0) return Place.nothing;
      this.#node = wildcard;
      return Place.wildcard;
    }
    return Place.nothing;
  }

  #isInside(table: ZoneTable, length: number): boolean {
    const originOctets = table.nodes[NodeField.nameOctets]!;
    const at = length - originOctets;
    if (at < 0) return false;
    let label = 0;
    while (label < at) label += this.#name[label]! + 1;
    return label === at && findName(table, this.#name, at, originOctets, hashName(this.#name, at)) === 0;
  }

  /** Writes what `#node` has for the type, under the name in `#name`; or says that it is an alias, having written it. */
  #writeAnswer(table: ZoneTable, query: Query, reply: Reply, means: AnswerMeans): 'answer' | 'alias' {
    const node = this.#node;
    const { writer } = means;
    if (query.type === TYPE.ANY) {
      const first = table.nodes[node * NODE_NUMBERS + NodeField.firstSet]!;
      const sets = table.nodes[node * NODE_NUMBERS + NodeField.sets]!;
      const given = means.isStream ? sets : Math.min(sets, 1);
      for (let set = first; set < first + given; set++) {
        reply.answers += this.#writeSet(table, node, set, this.#name, 0, writer, reply);
      }
      if (sets === 0) {
        noteNothing(table, reply);
        this.#writeNegative(table, reply, writer);
      }
      return 'answer';
    }
    const set = findSet(table, node, query.type);
    if (set >= 0) {
      reply.answers += this.#writeSet(table, node, set, this.#name, 0, writer, reply);
      return 'answer';
    }
    const alias = findSet(table, node, TYPE.CNAME);
    if (alias < 0) {
      if (reply.answers === 0) noteNothing(table, reply);
      this.#writeNegative(table, reply, writer);
      return 'answer';
    }
    reply.answers += this.#writeSet(table, node, alias, this.#name, 0, writer, reply);
    return reply.isTruncated ? 'answer' : 'alias';
  }

  /** The name that the alias at `#node` stands for goes into `#name`; returns its octets. */
  #follow(table: ZoneTable): number {
    const set = findSet(table, this.#node, TYPE.CNAME);
    const length = expandData(table, this.#node, set, 0, this.#data);
    this.#name.set(this.#data.subarray(0, length));
    return length;
  }

  /** DNAME, and the CNAME that it means for this name; returns the octets of the new name, 0 when it is too long (YXDOMAIN). */
  #writeDname(table: ZoneTable, reply: Reply, writer: MessageWriter, length: number): number {
    const node = this.#node;
    const base = node * NODE_NUMBERS;
    const set = findSet(table, node, TYPE.DNAME);
    const nameAt = table.nodes[base + NodeField.nameAt]!;
    reply.answers += this.#writeSet(table, node, set, table.octets, nameAt, writer, reply);
    const prefix = length - table.nodes[base + NodeField.nameOctets]!;
    const targetOctets = expandData(table, node, set, 0, this.#data);
    if (prefix + targetOctets > MAX_NAME_OCTETS) {
      // RFC 6672, section 2.2.
      reply.rcode = Rcode.yxDomain;
      return 0;
    }
    this.#target.set(this.#name.subarray(0, prefix));
    this.#target.set(this.#data.subarray(0, targetOctets), prefix);
    const whole = prefix + targetOctets;
    const ttl = table.sets[set * SET_NUMBERS + SetField.ttl]!;
    if (reply.isTruncated || !writer.record(this.#name, 0, TYPE.CNAME, ttl, this.#target, 0, whole)) {
      reply.isTruncated = true;
      return 0;
    }
    reply.answers++;
    this.#name.set(this.#target.subarray(0, whole));
    return whole;
  }

  /** The name servers of the cut in `#node`, and the addresses of those that are in this zone. */
  #writeReferral(table: ZoneTable, query: Query, reply: Reply, writer: MessageWriter): void {
    const cut = this.#node;
    const nameAt = table.nodes[cut * NODE_NUMBERS + NodeField.nameAt]!;
    const servers = findSet(table, cut, TYPE.NS);
    reply.authorities += this.#writeSet(table, cut, servers, table.octets, nameAt, writer, reply);
    if (query.wantsDnssec) {
      const signer = findSet(table, cut, TYPE.DS);
      if (signer >= 0) reply.authorities += this.#writeSet(table, cut, signer, table.octets, nameAt, writer, reply);
    }
    const count = table.sets[servers * SET_NUMBERS + SetField.records]!;
    for (let index = 0; index < count && !reply.isTruncated; index++) {
      const length = expandData(table, cut, servers, index, this.#data);
      this.#name.set(this.#data.subarray(0, length));
      if (!this.#isInside(table, length)) continue;
      const node = findName(table, this.#name, 0, length, hashName(this.#name, 0));
      if (node < 0) continue;
      for (const type of [TYPE.A, TYPE.AAAA]) {
        const set = findSet(table, node, type);
        if (set < 0) continue;
        const at = writer.at;
        const written = this.#writeSet(table, node, set, this.#name, 0, writer, reply);
        // An address that has no room is asked for, unless nobody else could say it (RFC 9471).
        if (written < 0 && table.nodes[node * NODE_NUMBERS + NodeField.cut] !== cut) {
          reply.isTruncated = false;
          writer.rewind(at);
          return;
        }
        reply.additionals += written;
      }
    }
  }

  /** The SOA of the zone, for as long as "there is none" may be kept. */
  #writeNegative(table: ZoneTable, reply: Reply, writer: MessageWriter): void {
    const set = findSet(table, 0, TYPE.SOA);
    const length = expandData(table, 0, set, 0, this.#data);
    const originAt = table.nodes[NodeField.nameAt]!;
    if (writer.record(table.octets, originAt, TYPE.SOA, table.negativeTtl, this.#data, 0, length)) {
      reply.authorities++;
    } else {
      reply.isTruncated = true;
    }
  }

  /** Writes the records of a set under a name; returns how many, or -1 with the reply marked when they have no room. */
  #writeSet(
    table: ZoneTable,
    node: number,
    set: number,
    names: Uint8Array,
    owner: number,
    writer: MessageWriter,
    reply: Reply,
  ): number {
    const base = set * SET_NUMBERS;
    const type = table.sets[base + SetField.type]!;
    const ttl = table.sets[base + SetField.ttl]!;
    const count = table.sets[base + SetField.records]!;
    for (let index = 0; index < count; index++) {
      const length = expandData(table, node, set, index, this.#data);
      if (!writer.record(names, owner, type, ttl, this.#data, 0, length)) {
        reply.isTruncated = true;
        return -1;
      }
    }
    return count;
  }
}

/** That the zone has nothing for the question itself: its origin says so, and all such questions are alike. */
function noteNothing(table: ZoneTable, reply: Reply): void {
  reply.finding = reply.rcode === Rcode.nxDomain ? ZoneFinding.noName : ZoneFinding.noData;
  reply.foundHash = table.nodes[NodeField.hash]!;
}
