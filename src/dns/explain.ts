// Why a question is answered as it is: who may ask, which source has the name and what it has, and why not another. One line a step.

import { formatAddressOctets } from '../core/address.ts';
import { read16, write16 } from '../core/octets.ts';
import { type AnswerSources, answerSources } from './answer-sources.ts';
import { ClientList } from './client-list.ts';
import { explainZone } from './explain-zone.ts';
import { Flag, OPT_OCTETS } from './message-head.ts';
import { countLabels, formatName } from './name.ts';
import { HEADER_OCTETS, OPT, OptionCode, Query, Rcode, readQuery, RecordClass } from './query.ts';
import { rcodeName } from './rcode-names.ts';
import { isMetaType, TYPE, typeName } from './record-types.ts';
import type { DomainName } from './record.ts';
import { Outcome } from './outcome.ts';
import { FORWARD, Responder } from './responder.ts';
import type { ResponderOptions, UnhandledAction } from './responder-options.ts';
import type { Sender } from './sender.ts';
import { type WideIpSource, WideIpVerdict } from './wide-ip-source.ts';
import type { ZoneSet } from './zone-set.ts';
import { NodeField, type ZoneTable } from './zone-table.ts';

/** A question of class IN. */
export type ExplainQuestion = {
  readonly name: DomainName;
  readonly type: number;
  /** 4 or 16 octets of the address of who asks. */
  readonly client: Uint8Array;
  readonly wantsRecursion: boolean;
  /** By TCP. */
  readonly isStream: boolean;
  /** The network that a resolver asks for (RFC 7871): 4 or 16 octets of an address, and how many bits of it. */
  readonly subnet?: { readonly address: Uint8Array; readonly bits: number } | undefined;
};

export type Explanation = {
  /** What a person reads, a line each. */
  readonly steps: readonly string[];
  /** What the steps come to. */
  readonly outcome: Outcome;
  readonly rcode: number;
  readonly isAuthoritative: boolean;
  /** Records that answer; fewer are in a reply that is truncated. */
  readonly answers: number;
  /** What the answer path really says to such a query of a client with EDNS; undefined: nothing, or the server behind says it. */
  readonly reply: Uint8Array | undefined;
};

type Verdict = Omit<Explanation, 'steps' | 'reply'>;

/** Wide IPs, for explanations: nothing of them changes by it. */
export type WideIpExplainer = {
  /** Answers as the answer path would at this moment. */
  readonly source: WideIpSource;
  /** What that says and why, a line each. */
  explain(query: Query, sender: Sender): { steps: readonly string[]; verdict: WideIpVerdict; rcode: number };
};

export function explain(
  zones: ZoneSet,
  options: ResponderOptions,
  question: ExplainQuestion,
  wideIps?: WideIpExplainer,
): Explanation {
  const steps: string[] = [];
  const message = queryOf(question);
  const reply = replyTo(answerSources(zones, wideIps?.source), options, question, message);
  const verdict = decide(zones, options, question, message, wideIps, (step) => steps.push(step));
  if (options.rateLimit !== undefined) {
    steps.push('rate limit: does not count here; above the rate a client gets no reply, or a truncated one');
  }
  // What a wide IP answers is counted where it is answered.
  const answers = verdict.outcome === Outcome.wideIp && reply !== undefined ? read16(reply, 6) : verdict.answers;
  return { ...verdict, answers, steps, reply };
}

function decide(
  zones: ZoneSet,
  options: ResponderOptions,
  question: ExplainQuestion,
  message: Uint8Array,
  wideIps: WideIpExplainer | undefined,
  say: (step: string) => void,
): Verdict {
  const { type, client, wantsRecursion } = question;
  const { allowedClients, processRd = true, hasBackend = false, unhandled } = options;
  const who = formatAddressOctets(client);
  if (allowedClients !== undefined && !new ClientList(allowedClients).has(client, 0, client.length)) {
    say(`access list: ${who} is not on it: REFUSED`);
    return end(Outcome.accessRefused, Rcode.refused);
  }
  say(`access list: ${allowedClients === undefined ? 'there is none, so everybody may ask' : `${who} is on it`}`);
  if (isMetaType(type) && type !== TYPE.ANY) return explainMetaType(type, say);
  const isProcessed = processRd || !wantsRecursion;
  if (isProcessed) {
    if (wantsRecursion) say('recursion is desired: that changes nothing (process-rd yes)');
    const asked = askWideIps(options, message, question, wideIps, say);
    if (asked?.verdict === WideIpVerdict.dropped) return end(Outcome.wideIpDropped, Rcode.noError);
    if (asked?.verdict === WideIpVerdict.answered) {
      say('zones: not asked, what the wide IP says is final');
      return { outcome: Outcome.wideIp, rcode: asked.rcode, isAuthoritative: true, answers: 0 };
    }
    const exists = asked?.verdict === WideIpVerdict.passed;
    const zone = findZone(zones, message, question, say);
    if (zone !== undefined) {
      const verdict = explainZone(zone, question, (step) => say(`zone ${originOf(zone)}: ${step}`));
      if (exists && verdict.rcode === Rcode.nxDomain && verdict.answers === 0) {
        say('the name exists as that of a wide IP, or above one: NOERROR, not NXDOMAIN');
        verdict.rcode = Rcode.noError;
      }
      say('name server behind: not asked, the zone has the name and what it says is final');
      say('unhandled-query-action: not reached');
      return { outcome: Outcome.zone, ...verdict };
    }
    if (hasBackend) {
      say('name server behind: is asked, no zone has the name');
      say('unhandled-query-action: not reached, what the server behind says is final');
      return end(Outcome.forwarded, Rcode.noError);
    }
    say('name server behind: there is none');
    if (exists) {
      say('unhandled-query-action: not reached, the name exists as that of a wide IP, or above one: an empty NOERROR');
      return { outcome: Outcome.wideIp, rcode: Rcode.noError, isAuthoritative: true, answers: 0 };
    }
  } else {
    say('recursion is desired and not processed (process-rd no): no source is asked, the action decides');
  }
  if (unhandled === 'allow' && hasBackend) {
    say('unhandled-query-action: allow lets the query through to the name server behind');
    return end(Outcome.forwarded, Rcode.noError);
  }
  const { text, rcode } = ACTIONS[unhandled];
  say(`unhandled-query-action: ${unhandled}: ${text}`);
  return end(unhandled === 'drop' ? Outcome.unhandledDropped : Outcome.unhandled, rcode);
}

/** What wide IPs say, having told why; undefined: they are not asked. */
function askWideIps(
  options: ResponderOptions,
  message: Uint8Array,
  { client, isStream }: ExplainQuestion,
  wideIps: WideIpExplainer | undefined,
  say: (step: string) => void,
): { verdict: WideIpVerdict; rcode: number } | undefined {
  if (options.asksWideIps === false || wideIps === undefined) {
    say(`wide IPs: ${wideIps === undefined ? 'there are none' : 'not asked (enable-gtm no)'}`);
    return undefined;
  }
  const query = new Query();
  readQuery(message, 0, message.length, query);
  const { steps, verdict, rcode } = wideIps.explain(query, senderOf(client, isStream));
  steps.forEach(say);
  return { verdict, rcode };
}

const senderOf = (client: Uint8Array, isStream: boolean): Sender => ({
  addresses: client,
  addressAt: 0,
  addressOctets: client.length,
  isStream,
  now: Math.floor(Date.now() / 1000),
});

const end = (outcome: Outcome, rcode: number): Verdict => ({ outcome, rcode, isAuthoritative: false, answers: 0 });

const ACTIONS: Record<UnhandledAction, { text: string; rcode: number }> = {
  allow: { text: 'lets it through, but nothing is behind: NXDOMAIN', rcode: Rcode.nxDomain },
  drop: { text: 'no reply', rcode: Rcode.noError },
  hint: { text: 'the name servers of the root', rcode: Rcode.noError },
  noerror: { text: 'a reply with nothing in it', rcode: Rcode.noError },
  reject: { text: 'REFUSED', rcode: Rcode.refused },
};

function explainMetaType(type: number, say: (step: string) => void): Verdict {
  const isTransfer = type === TYPE.AXFR || type === TYPE.IXFR;
  const outcome = isTransfer ? Outcome.refused : Outcome.malformed;
  const rcode = isTransfer ? Rcode.refused : Rcode.formErr;
  say(`${typeName(type)} is ${isTransfer ? 'a transfer, which is not served' : 'no question'}: ${rcodeName(rcode)}`);
  return end(outcome, rcode);
}

/** The zone that answers, having said which could. */
function findZone(
  zones: ZoneSet,
  message: Uint8Array,
  { name, type }: ExplainQuestion,
  say: (step: string) => void,
): ZoneTable | undefined {
  const query = new Query();
  readQuery(message, 0, message.length, query);
  const candidates: ZoneTable[] = [];
  for (let label = 0; label <= countLabels(name); label++) {
    const number = zones.at(query, label);
    if (number >= 0) candidates.push(zones.tables[number]!);
  }
  const text = formatName(name);
  const [longest, above] = candidates;
  if (longest === undefined) {
    say(`zones: none of the ${zones.tables.length} that are served has ${text}`);
    return undefined;
  }
  const isOrigin = longest.nodes[NodeField.nameOctets] === name.length;
  if (type === TYPE.DS && isOrigin && above !== undefined) {
    say(`zones: ${text} is an origin, and its DS is in the zone above: ${originOf(above)} answers`);
    return above;
  }
  const others = candidates.slice(1).map(originOf);
  const why = others.length === 0 ? '' : `, the longest origin; not ${others.join(', ')}`;
  say(`zones: ${text} is in ${originOf(longest)}${why}`);
  return longest;
}

const originOf = (table: ZoneTable): string => formatName(table.octets, table.nodes[NodeField.nameAt]);

/** A query as dig sends it, of a client that takes 1232 octets over UDP. */
function queryOf({ name, type, wantsRecursion, subnet }: ExplainQuestion): Uint8Array {
  const options = subnet === undefined ? new Uint8Array(0) : subnetOption(subnet.address, subnet.bits);
  const message = new Uint8Array(HEADER_OCTETS + name.length + 4 + OPT_OCTETS + options.length);
  write16(message, 2, wantsRecursion ? Flag.rd : 0);
  write16(message, 4, 1);
  write16(message, 10, 1);
  message.set(name, HEADER_OCTETS);
  const at = HEADER_OCTETS + name.length;
  write16(message, at, type);
  write16(message, at + 2, RecordClass.in);
  write16(message, at + 5, OPT);
  write16(message, at + 7, 1232);
  write16(message, at + 13, options.length);
  message.set(options, at + 15);
  return message;
}

/** RFC 7871, section 6. */
function subnetOption(address: Uint8Array, bits: number): Uint8Array {
  const octets = (bits + 7) >>> 3;
  const option = new Uint8Array(8 + octets);
  write16(option, 0, OptionCode.clientSubnet);
  write16(option, 2, 4 + octets);
  write16(option, 4, address.length === 4 ? 1 : 2);
  option[6] = bits;
  for (let index = 0; index < octets; index++) {
    const left = bits - 8 * index;
    option[8 + index] = left >= 8 ? address[index]! : address[index]! & (0xff00 >>> left);
  }
  return option;
}

function replyTo(
  sources: AnswerSources,
  options: ResponderOptions,
  { client, isStream }: ExplainQuestion,
  message: Uint8Array,
): Uint8Array | undefined {
  const octets = new Uint8Array(isStream ? 65_535 : 4096);
  octets.set(message);
  const sender = senderOf(client, isStream);
  const length = new Responder(sources, options).respond(octets, 0, message.length, sender);
  return length === 0 || length === FORWARD ? undefined : octets.slice(0, length);
}
