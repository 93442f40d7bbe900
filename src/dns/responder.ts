// From a message to a message: what came in is read in place, one source after the other is asked, and the reply takes the place of
// the query. Wide IPs will stand in front of zones; behind both stands the action for what nobody answers.

import { write16 } from '../core/octets.ts';
import { COOKIE_OCTETS, type Cookies } from './cookie.ts';
import { answerChaos, type ChaosNames } from './chaos.ts';
import { OPT_OCTETS, writeHeader, writeOpt } from './message-head.ts';
import { MessageWriter } from './message-writer.ts';
import { HEADER_OCTETS, Query, QueryVerdict, Rcode, readQuery, RecordClass } from './query.ts';
import { Reply } from './reply.ts';
import { writeRootServers } from './root-servers.ts';
import { isMetaType, TYPE } from './record-types.ts';
import { type AnswerMeans, ZoneAnswerer } from './zone-answer.ts';
import type { ZoneSet } from './zone-set.ts';

/** What becomes of a query that neither a wide IP nor a zone answers (`ltm profile dns`, `unhandled-query-action`). */
export type UnhandledAction = 'allow' | 'drop' | 'hint' | 'noerror' | 'reject';

export type ResponderOptions = {
  readonly unhandled: UnhandledAction;
  /** Octets of a message over UDP that we send at most, and say that we take. */
  readonly udpOctets: number;
  /** What NSID says (RFC 5001); without it the option is not answered. */
  readonly nsid?: Uint8Array;
  readonly cookies?: Cookies;
  readonly chaos?: ChaosNames;
};

/** Numbers of what became of queries, in `Responder.counts`. */
export const Outcome = {
  zone: 0,
  unhandled: 1,
  chaos: 2,
  malformed: 3,
  notImplemented: 4,
  badVersion: 5,
  refused: 6,
  /** No reply: less than a header, or a reply itself. */
  tooShort: 7,
  response: 8,
  unhandledDropped: 9,
  truncated: 10,
} as const;
export type Outcome = (typeof Outcome)[keyof typeof Outcome];
export const OUTCOMES = Object.keys(Outcome).length;

const OptionCode = { nsid: 3, clientSubnet: 8, cookie: 10 } as const;
const AXFR = 252;
const IXFR = 251;

/** Who asks: octets of the address, and by what. */
export type Sender = {
  addresses: Uint8Array;
  addressAt: number;
  addressOctets: number;
  isStream: boolean;
  /** Seconds since 1970. */
  now: number;
};

export class Responder {
  readonly counts = new Float64Array(OUTCOMES);
  #zones: ZoneSet;
  readonly #options: ResponderOptions;
  readonly #query = new Query();
  readonly #reply = new Reply();
  readonly #answerer = new ZoneAnswerer();
  readonly #means: AnswerMeans = { writer: new MessageWriter(), limit: 0, isStream: false };

  /** Room for options: a cookie, a subnet of an IPv6 address, and an identifier. */
  readonly #scratch = new Uint8Array(1024);

  constructor(zones: ZoneSet, options: ResponderOptions) {
    this.#zones = zones;
    this.#options = options;
  }

  /** Other zones from the next query on. */
  setZones(zones: ZoneSet): void {
    this.#zones = zones;
  }

  /**
   * Replaces the query between `start` and `end` by the reply to it; returns where that ends, or `start` when there is none.
   * There is room for a message of the largest size that the sender may take: `udpOctets` and 512, or 65,535 for a stream.
   */
  respond(octets: Uint8Array, start: number, end: number, sender: Sender): number {
    const query = this.#query;
    const reply = this.#reply;
    const verdict = readQuery(octets, start, end, query);
    reply.clear();
    if (verdict !== QueryVerdict.question) {
      if (!this.#refuseMessage(verdict)) return start;
    } else {
      const optionOctets = query.hasEdns ? OPT_OCTETS + this.#optionOctets() : 0;
      const room = sender.isStream ? 65_535 : Math.min(query.udpOctets, Math.max(this.#options.udpOctets, 512));
      this.#means.limit = room - optionOctets;
      this.#means.isStream = sender.isStream;
      if (!this.#answer()) return start;
      if (reply.isTruncated) this.counts[Outcome.truncated]!++;
    }
    return this.#finish(octets, sender);
  }

  /** What is wrong with a message as such; false when it is not answered at all. */
  #refuseMessage(verdict: QueryVerdict): boolean {
    const reply = this.#reply;
    switch (verdict) {
      case QueryVerdict.tooShort:
        this.counts[Outcome.tooShort]!++;
        return false;
      case QueryVerdict.response:
        // A reply to a reply would go on for ever.
        this.counts[Outcome.response]!++;
        return false;
      case QueryVerdict.opcode:
        this.counts[Outcome.notImplemented]!++;
        reply.rcode = Rcode.notImp;
        return true;
      case QueryVerdict.ednsVersion:
        this.counts[Outcome.badVersion]!++;
        reply.rcode = Rcode.badVers;
        return true;
      default:
        this.counts[Outcome.malformed]!++;
        reply.rcode = Rcode.formErr;
        return true;
    }
  }

  /** Asks the sources in their order; false when there is to be no reply. */
  #answer(): boolean {
    const query = this.#query;
    const reply = this.#reply;
    if (query.class !== RecordClass.in) {
      this.#answerOtherClass();
      return true;
    }
    if (isMetaType(query.type) && query.type !== TYPE.ANY) {
      // Transfers go over TCP and are not served yet; others of these are no questions (RFC 6895, section 3.1).
      const isTransfer = query.type === AXFR || query.type === IXFR;
      reply.rcode = isTransfer ? Rcode.refused : Rcode.formErr;
      this.counts[isTransfer ? Outcome.refused : Outcome.malformed]!++;
      return true;
    }
    const zone = this.#zones.find(query);
    if (zone !== undefined) {
      this.#answerer.answer(zone, query, reply, this.#means);
      this.counts[Outcome.zone]!++;
      return true;
    }
    return this.#answerUnhandled();
  }

  #answerOtherClass(): void {
    const { chaos } = this.#options;
    if (chaos !== undefined && answerChaos(chaos, this.#query, this.#reply, this.#means)) {
      this.counts[Outcome.chaos]!++;
    } else {
      this.#reply.rcode = Rcode.refused;
      this.counts[Outcome.refused]!++;
    }
  }

  #answerUnhandled(): boolean {
    const reply = this.#reply;
    switch (this.#options.unhandled) {
      case 'drop':
        this.counts[Outcome.unhandledDropped]!++;
        return false;
      case 'reject':
        reply.rcode = Rcode.refused;
        break;
      case 'hint':
        writeRootServers(this.#query, reply, this.#means);
        break;
      case 'allow':
        // There is nothing behind us: the name does not exist.
        reply.rcode = Rcode.nxDomain;
        break;
      case 'noerror':
        break;
    }
    this.counts[Outcome.unhandled]!++;
    return true;
  }

  /** Octets of the options of the reply. */
  #optionOctets(): number {
    const query = this.#query;
    const { nsid, cookies } = this.#options;
    return (
      (query.wantsNsid && nsid !== undefined ? 4 + nsid.length : 0) +
      (query.cookieOctets > 0 && cookies !== undefined ? 4 + COOKIE_OCTETS : 0) +
      (query.subnetOctets > 0 ? 4 + query.subnetOctets : 0)
    );
  }

  #finish(octets: Uint8Array, sender: Sender): number {
    const query = this.#query;
    const reply = this.#reply;
    const { start, questionEnd } = query;
    const questions = questionEnd > start + HEADER_OCTETS ? 1 : 0;
    // Options are read from where the records of the reply will stand.
    const options = query.hasEdns ? this.#readOptions(sender) : 0;
    writeHeader(octets, start, query, reply, questions, query.hasEdns);
    const { tail, tailAt, tailOctets } = reply;
    for (let index = 0; index < tailOctets; index++) octets[questionEnd + index] = tail[tailAt + index]!;
    const end = questionEnd + tailOctets;
    if (!query.hasEdns) return end;
    const lengthAt = writeOpt(octets, end, query, reply.rcode, this.#options.udpOctets);
    write16(octets, lengthAt, options);
    for (let index = 0; index < options; index++) octets[lengthAt + 2 + index] = this.#scratch[index]!;
    return lengthAt + 2 + options;
  }

  #readOptions(sender: Sender): number {
    const query = this.#query;
    const { nsid, cookies } = this.#options;
    const scratch = this.#scratch;
    let at = 0;
    // A message that was refused as such gets none of them.
    if (this.#reply.rcode === Rcode.formErr || this.#reply.rcode === Rcode.badVers) return 0;
    if (query.wantsNsid && nsid !== undefined) {
      at = writeOptionHead(scratch, at, OptionCode.nsid, nsid.length);
      scratch.set(nsid, at);
      at += nsid.length;
    }
    if (query.cookieOctets > 0 && cookies !== undefined) {
      at = writeOptionHead(scratch, at, OptionCode.cookie, COOKIE_OCTETS);
      cookies.write(query, sender.addresses, sender.addressAt, sender.addressOctets, sender.now, scratch, at);
      at += COOKIE_OCTETS;
    }
    if (query.subnetOctets > 0) {
      // Back as it came, with scope 0: the answer is good for everybody (RFC 7871, section 7.2.1).
      at = writeOptionHead(scratch, at, OptionCode.clientSubnet, query.subnetOctets);
      for (let index = 0; index < query.subnetOctets; index++) {
        scratch[at + index] = query.octets[query.subnetStart + index]!;
      }
      at += query.subnetOctets;
    }
    return at;
  }
}

function writeOptionHead(octets: Uint8Array, at: number, code: number, length: number): number {
  write16(octets, at, code);
  write16(octets, at + 2, length);
  return at + 4;
}
