// From a message to a message: what came in is read in place, one source after the other is asked, and the reply takes the place of
// the query. Who may ask is decided before, how many answers of a kind a client gets behind.

import { write16 } from '../core/octets.ts';
import type { AnswerSources } from './answer-sources.ts';
import { answerChaos } from './chaos.ts';
import { ClientList } from './client-list.ts';
import { COOKIE_OCTETS, Cookies, CookieState } from './cookie.ts';
import { KnownReplies } from './known-replies.ts';
import { Flag, OPT_OCTETS, writeHeader, writeOpt } from './message-head.ts';
import { MessageWriter } from './message-writer.ts';
import { Outcome, OUTCOMES } from './outcome.ts';
import {
  CLIENT_COOKIE_OCTETS,
  HEADER_OCTETS,
  OptionCode,
  Query,
  QueryVerdict,
  Rcode,
  readQuery,
  RecordClass,
} from './query.ts';
import { RateLimiter, RateVerdict } from './rate-limiter.ts';
import { Reply, ZoneFinding } from './reply.ts';
import { writeRootServers } from './root-servers.ts';
import { isMetaType, TYPE } from './record-types.ts';
import type { ResponderOptions, UnhandledAction } from './responder-options.ts';
import type { Sender } from './sender.ts';
import { WideIpVerdict } from './wide-ip-source.ts';
import { type AnswerMeans, ZoneAnswerer } from './zone-answer.ts';
import { countZone } from './zone-counts.ts';

/** What `respond` returns for a query that the name server behind shall answer. The message is as it came. */
export const FORWARD = -1;

/** Where the scope stands in the data of a client subnet (RFC 7871, section 6). */
const SCOPE_OFFSET = 3;

/** Is told of each message; `octets`: of the reply that is sent, 0 for none. The question is still in the query's octets. */
export type ResponseTap = {
  note(query: Query, rcode: number, outcome: Outcome, octets: number, sender: Sender): void;
};

export class Responder {
  /** Listens to what is answered; costs nothing while it is undefined. */
  tap: ResponseTap | undefined;
  readonly counts = new Float64Array(OUTCOMES);
  /** Of the message of the last reply, without its id: the sum of halves of words as they lie in memory; less than 0: it is not known. */
  messageSum = -1;
  #sources: AnswerSources;
  readonly #options: ResponderOptions;
  readonly #cookies: Cookies | undefined;
  readonly #allowed: ClientList | undefined;
  readonly #limiter: RateLimiter | undefined;
  readonly #query = new Query();
  readonly #reply = new Reply();
  readonly #answerer = new ZoneAnswerer();
  readonly #known = new KnownReplies();
  /** The zone of the last answer that says the same until there are other sources; -1: it was none. */
  #lastingZone = -1;
  /** The wide IP that the question leads to, where that is known before its name is read; -1: it is not. */
  #knownWideIp = -1;
  /** The one that the last question led to; less than 0: none. */
  #foundWideIp = -1;
  /** What the rate limit said of the reply that is made now; undefined: it was not asked yet. */
  #taken: RateVerdict | undefined;
  readonly #means: AnswerMeans = {
    writer: new MessageWriter(),
    limit: 0,
    isStream: false,
  };

  /** Room for options: a cookie, a subnet of an IPv6 address, and an identifier. */
  readonly #scratch = new Uint8Array(1024);

  constructor(sources: AnswerSources, options: ResponderOptions) {
    const { cookieKey, allowedClients, rateLimit } = options;
    this.#sources = sources;
    this.#options = options;
    this.#cookies = cookieKey === undefined ? undefined : new Cookies(cookieKey);
    this.#allowed = allowedClients === undefined ? undefined : new ClientList(allowedClients);
    this.#limiter = rateLimit === undefined ? undefined : new RateLimiter(rateLimit);
  }

  /** Others from the next query on. */
  setSources(sources: AnswerSources): void {
    this.#sources = sources;
    this.#known.clear();
  }

  /**
   * Replaces the query between `start` and `end` by the reply to it; returns where that ends, `start` when there is none, or
   * FORWARD. There is room for a message of the largest size that the sender may take: `udpOctets` and 512, or 65,535 for a
   * stream.
   */
  respond(octets: Uint8Array, start: number, end: number, sender: Sender): number {
    // What is logged has to be read.
    if (sender.isStream || this.tap !== undefined) return this.#read(octets, start, end, sender);
    const known = this.#known;
    const entry = known.find(octets, start, end);
    if (entry >= 0) {
      const wideIp = known.wideIp(entry);
      if (wideIp >= 0) {
        known.recall(entry, octets, start, end, this.#query);
        this.#knownWideIp = wideIp;
        return this.#respondTo(QueryVerdict.question, octets, start, sender);
      }
      if (this.#mayRepeat(entry, sender)) {
        this.messageSum = known.sum(entry);
        return known.write(entry, start);
      }
    }
    if (entry >= 0 || !known.keepQuestion(start, end)) return this.#read(octets, start, end, sender);
    const replyEnd = this.#read(octets, start, end, sender);
    this.#note(start, replyEnd);
    return replyEnd;
  }

  /** Notes what was made of the question that was read last, if it is the same for everybody. */
  #note(start: number, replyEnd: number): void {
    const query = this.#query;
    if (query.cookieOctets !== 0 || query.subnetOctets !== 0 || query.tsigStart !== 0) return;
    if (this.#foundWideIp >= 0) {
      this.#known.noteWideIp(query, this.#foundWideIp);
    } else if (this.#lastingZone >= 0 && replyEnd > start && !this.#reply.isTruncated) {
      const { finding } = this.#reply;
      this.#known.note(start, replyEnd, query.questionEnd, this.#lastingZone, finding, this.#kind(Outcome.zone));
    }
  }

  /** Whether the sender may have a reply that was given before; if so it is counted as any other. */
  #mayRepeat(entry: number, sender: Sender): boolean {
    const { addresses, addressAt, addressOctets, now } = sender;
    const known = this.#known;
    if (this.#allowed?.has(addresses, addressAt, addressOctets) === false) return false;
    if (this.#limiter !== undefined) {
      const verdict = this.#limiter.take(known.kind(entry), addresses, addressAt, addressOctets, now);
      // What becomes of it now is for the long way to say, which does not ask again.
      if (verdict !== RateVerdict.pass) {
        this.#taken = verdict;
        return false;
      }
    }
    this.counts[Outcome.zone]!++;
    countZone(this.#sources.zoneCounts, known.zone(entry), known.finding(entry) as ZoneFinding);
    return true;
  }

  #read(octets: Uint8Array, start: number, end: number, sender: Sender): number {
    this.#knownWideIp = -1;
    const verdict = readQuery(octets, start, end, this.#query);
    return this.#respondTo(verdict, octets, start, sender);
  }

  /** `verdict`: on the message in `#query`. */
  #respondTo(verdict: QueryVerdict, octets: Uint8Array, start: number, sender: Sender): number {
    const query = this.#query;
    const reply = this.#reply;
    this.messageSum = this.#lastingZone = this.#foundWideIp = -1;
    reply.clear();
    const outcome = verdict === QueryVerdict.question ? this.#answer(sender) : this.#refuseMessage(verdict);
    this.counts[outcome]!++;
    const replyEnd = this.#send(outcome, octets, start, sender);
    this.tap?.note(query, reply.rcode, outcome, Math.max(0, replyEnd - start), sender);
    return replyEnd;
  }

  #send(outcome: Outcome, octets: Uint8Array, start: number, sender: Sender): number {
    if (isSilent(outcome) || !this.#isWithinRate(outcome, sender)) return start;
    const reply = this.#reply;
    // A query that is above the rate is truncated here and not asked about.
    if (outcome === Outcome.forwarded && !reply.isTruncated) return FORWARD;
    if (reply.isTruncated) this.counts[Outcome.truncated]!++;
    return this.#finish(octets, sender);
  }

  /** What is wrong with a message as such. */
  #refuseMessage(verdict: QueryVerdict): Outcome {
    const reply = this.#reply;
    switch (verdict) {
      case QueryVerdict.tooShort:
        return Outcome.tooShort;
      case QueryVerdict.response:
        // A reply to a reply would go on for ever.
        return Outcome.response;
      case QueryVerdict.opcode:
        reply.rcode = Rcode.notImp;
        return Outcome.notImplemented;
      case QueryVerdict.ednsVersion:
        reply.rcode = Rcode.badVers;
        return Outcome.badVersion;
      default:
        reply.rcode = Rcode.formErr;
        return Outcome.malformed;
    }
  }

  #answer(sender: Sender): Outcome {
    const query = this.#query;
    const reply = this.#reply;
    if (this.#allowed?.has(sender.addresses, sender.addressAt, sender.addressOctets) === false) {
      reply.rcode = Rcode.refused;
      return Outcome.accessRefused;
    }
    const room = sender.isStream ? 65_535 : Math.min(query.udpOctets, Math.max(this.#options.udpOctets, 512));
    this.#means.limit = room - (query.hasEdns ? OPT_OCTETS + this.#optionOctets() : 0);
    this.#means.isStream = sender.isStream;
    if (query.class !== RecordClass.in) return this.#answerOtherClass();
    if (isMetaType(query.type) && query.type !== TYPE.ANY) {
      // Transfers go over TCP and are not served yet; others of these are no questions (RFC 6895, section 3.1).
      const isTransfer = query.type === TYPE.AXFR || query.type === TYPE.IXFR;
      reply.rcode = isTransfer ? Rcode.refused : Rcode.formErr;
      return isTransfer ? Outcome.refused : Outcome.malformed;
    }
    return this.#askSources(sender);
  }

  /** The sources in their order: each owns the name and answers, or leaves the reply as it is. */
  #askSources(sender: Sender): Outcome {
    const { processRd = true, hasBackend = false, unhandled } = this.#options;
    if (processRd || (this.#query.flags & Flag.rd) === 0) {
      const verdict = this.#askWideIps(sender);
      if (verdict === WideIpVerdict.answered) return Outcome.wideIp;
      if (verdict === WideIpVerdict.dropped) return Outcome.wideIpDropped;
      const zone = this.#answerFromZones(verdict === WideIpVerdict.passed);
      if (zone >= 0) {
        // A wide IP that passes now may answer later.
        if (verdict === WideIpVerdict.none) this.#lastingZone = zone;
        return Outcome.zone;
      }
      if (hasBackend) return Outcome.forwarded;
      if (verdict === WideIpVerdict.passed) {
        // The name is there, if not for this type, or not now: an empty answer of ours.
        this.#reply.isAuthoritative = true;
        this.#reply.finding = ZoneFinding.noData;
        return Outcome.wideIp;
      }
    }
    // What is let through goes behind us, if anything is there.
    if (unhandled === 'allow' && hasBackend) return Outcome.forwarded;
    return this.#answerUnhandled(unhandled);
  }

  #askWideIps(sender: Sender): WideIpVerdict {
    const { wideIps } = this.#sources;
    if (wideIps === undefined || this.#options.asksWideIps === false) return WideIpVerdict.none;
    const query = this.#query;
    const reply = this.#reply;
    const known = this.#knownWideIp;
    const verdict =
      known < 0
        ? wideIps.answer(query, reply, this.#means, sender)
        : wideIps.answerBy(known, query, reply, this.#means, sender);
    this.#foundWideIp = known < 0 ? wideIps.found : known;
    // What zones are asked needs the name.
    const asksZones = verdict === WideIpVerdict.passed || reply.wantsAuthority;
    if (known >= 0 && asksZones) readQuery(query.octets, query.start, query.end, query);
    if (verdict === WideIpVerdict.answered && reply.wantsAuthority) {
      const { zones } = this.#sources;
      const number = zones.find(query);
      if (number >= 0) this.#answerer.addAuthority(zones.tables[number]!, query, reply, this.#means);
    }
    return verdict;
  }

  /** Returns the number of the zone that answered; less than 0: none. `exists`: the name is there whatever the zone says. */
  #answerFromZones(exists: boolean): number {
    const { zones, zoneCounts } = this.#sources;
    const number = zones.find(this.#query);
    if (number < 0) return number;
    const reply = this.#reply;
    this.#answerer.answer(zones.tables[number]!, this.#query, reply, this.#means);
    if (exists && reply.finding === ZoneFinding.noName) {
      // Else a resolver takes it that there is nothing of any type, and nothing below it (RFC 8020).
      reply.rcode = Rcode.noError;
      reply.finding = ZoneFinding.noData;
    }
    countZone(zoneCounts, number, reply.finding);
    return number;
  }

  #answerOtherClass(): Outcome {
    const { chaos } = this.#options;
    if (chaos !== undefined && answerChaos(chaos, this.#query, this.#reply, this.#means)) return Outcome.chaos;
    this.#reply.rcode = Rcode.refused;
    return Outcome.refused;
  }

  #answerUnhandled(action: UnhandledAction): Outcome {
    const reply = this.#reply;
    switch (action) {
      case 'drop':
        return Outcome.unhandledDropped;
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
    return Outcome.unhandled;
  }

  /** False when the reply is not to be sent; one that slips is truncated. Whoever proves its address is not limited. */
  #isWithinRate(outcome: Outcome, sender: Sender): boolean {
    const isProven = this.#checkCookie(sender);
    if (this.#limiter === undefined || sender.isStream || isProven) return true;
    const { addresses, addressAt, addressOctets, now } = sender;
    const reply = this.#reply;
    const verdict = this.#taken ?? this.#limiter.take(this.#kind(outcome), addresses, addressAt, addressOctets, now);
    this.#taken = undefined;
    if (verdict === RateVerdict.pass) return true;
    // TC says that there is more: nothing for a reply that is an error.
    if (verdict === RateVerdict.drop || (reply.rcode !== Rcode.noError && reply.rcode !== Rcode.nxDomain)) {
      this.counts[Outcome.rateLimited]!++;
      return false;
    }
    this.counts[Outcome.slipped]!++;
    reply.truncate();
    return true;
  }

  /**
   * What makes answers alike: the name that a wide IP or a zone found, with all "there is none" of a zone being one; the name that is
   * asked for of the server behind; and all else one, whatever name is in it.
   */
  #kind(outcome: Outcome): number {
    const { finding, foundHash } = this.#reply;
    if (outcome === Outcome.zone || outcome === Outcome.wideIp) return foundHash ^ (finding << 8);
    return outcome === Outcome.forwarded ? this.#query.hashes[0]! ^ 0x10000 : outcome;
  }

  /** Counts a server's cookie; true for one of ours, which proves that the sender is where it says. */
  #checkCookie({ addresses, addressAt, addressOctets, now }: Sender): boolean {
    const query = this.#query;
    if (query.cookieOctets <= CLIENT_COOKIE_OCTETS || this.#cookies === undefined) return false;
    const state = this.#cookies.check(query, addresses, addressAt, addressOctets, now);
    const isProven = state === CookieState.proven;
    this.counts[isProven ? Outcome.cookieValid : Outcome.cookieInvalid]!++;
    return isProven;
  }

  /** Octets of the options of the reply. */
  #optionOctets(): number {
    const query = this.#query;
    const { nsid } = this.#options;
    return (
      (query.wantsNsid && nsid !== undefined ? 4 + nsid.length : 0) +
      (query.cookieOctets > 0 && this.#cookies !== undefined ? 4 + COOKIE_OCTETS : 0) +
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
    const { nsid } = this.#options;
    const cookies = this.#cookies;
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
      // Back as it came, but for the scope: 0 where the answer is good for everybody (RFC 7871, section 7.2.1).
      at = writeOptionHead(scratch, at, OptionCode.clientSubnet, query.subnetOctets);
      for (let index = 0; index < query.subnetOctets; index++) {
        scratch[at + index] = query.octets[query.subnetStart + index]!;
      }
      scratch[at + SCOPE_OFFSET] = this.#reply.scopeBits;
      at += query.subnetOctets;
    }
    return at;
  }
}

function isSilent(outcome: Outcome): boolean {
  switch (outcome) {
    case Outcome.tooShort:
    case Outcome.response:
    case Outcome.unhandledDropped:
    case Outcome.wideIpDropped:
      return true;
    default:
      return false;
  }
}

function writeOptionHead(octets: Uint8Array, at: number, code: number, length: number): number {
  write16(octets, at, code);
  write16(octets, at + 2, length);
  return at + 4;
}
