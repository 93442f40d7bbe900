// Explains for a person what a listener answers to a question.

import { randomFillSync } from 'node:crypto';
import { fullPath, COMMON } from '../../config/name.ts';
import { addressOctets, parseAddress, parsePrefix } from '../../core/address.ts';
import { explain, type WideIpExplainer } from '../../dns/explain.ts';
import { nameErrorText, parseName, ROOT_NAME } from '../../dns/name.ts';
import { typeOf } from '../../dns/record-types.ts';
import type { DomainName } from '../../dns/record.ts';
import { ZoneSet } from '../../dns/zone-set.ts';
import { explainingAnswerer, explainWideIp } from '../../gtm/explain-wide-ip.ts';
import { Xoshiro } from '../../gtm/random.ts';
import { IpcError } from '../../ipc/ipc-error.ts';
import type { ParamsOf, ResultOf } from '../../ipc/schema.ts';
import { answerOptions } from './answer-options.ts';
import type { Dnsd } from './dnsd.ts';
import { explanationText } from './explain-text.ts';
import { type ListenerSpec, placeText } from './listener-spec.ts';

/** Throws an IpcError for what cannot be asked. */
export function explainQuestion(dnsd: Dnsd, question: ParamsOf<'dns-explain'>): ResultOf<'dns-explain'> {
  const { name: nameText, type: typeText, from = '127.0.0.1' } = question;
  const name = readName(nameText);
  const type = typeOf(typeText);
  if (type === undefined) throw new IpcError('refused', `${typeText} is no type of records`);
  const client = parseAddress(from);
  if (client === undefined) throw new IpcError('refused', `--from: ${from} is no IP address`);
  const spec = listenerOf(dnsd, question.listener);
  const { profile, isStream } = spec;
  const subnet = question.subnet === undefined ? undefined : readSubnet(question.subnet);
  const asked = { name, type, isStream, client: addressOctets(client), wantsRecursion: true, subnet };
  const options = answerOptions(profile, dnsd.facts);
  const { steps, ...rest } = explain(new ZoneSet(dnsd.tables), options, asked, wideIpExplainer(dnsd));
  const where = `listener: ${spec.name} at ${placeText(spec)}, profile ${profile.name}`;
  return {
    lines: explanationText({ ...rest, steps: [where, ...steps] })
      .trimEnd()
      .split('\n'),
  };
}

function readSubnet(text: string): { address: Uint8Array; bits: number } {
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw new IpcError('refused', `--subnet: ${text} is no network, as 203.0.113.0/24 is`);
  return { address: addressOctets(prefix.address), bits: prefix.length };
}

/** undefined: there are no wide IPs. */
function wideIpExplainer({ wideIps, health }: Dnsd): WideIpExplainer | undefined {
  const { compiled, state, persistence, databases } = wideIps;
  const { availability, reports } = health;
  if (compiled === undefined || state === undefined || availability === undefined || reports === undefined) {
    return undefined;
  }
  const seed = randomFillSync(new Uint32Array(4));
  const chance = { persistence, databases, newRandom: () => new Xoshiro(seed) };
  return {
    source: explainingAnswerer(compiled, state, chance),
    explain: (query, sender) =>
      explainWideIp(compiled, { memory: state, facts: availability.facts, reports, ...chance }, query, sender),
  };
}

function readName(text: string): DomainName {
  const name = parseName(text, ROOT_NAME);
  if (typeof name !== 'number') return name;
  throw new IpcError('refused', `${text} is no name: ${nameErrorText(name)}`);
}

function listenerOf(dnsd: Dnsd, name: string | undefined): ListenerSpec {
  const specs = [...dnsd.listeners.open.values()].map(({ spec }) => spec);
  const path = name === undefined ? undefined : fullPath(name, COMMON);
  const spec = path === undefined ? specs[0] : specs.find((each) => each.name === path);
  if (spec !== undefined) return spec;
  if (path !== undefined) throw new IpcError('refused', `listener ${path} is not there, or is not up`);
  throw new IpcError(
    'refused',
    'no listener is up: create gtm listener makes one, show gtm listener says what is wrong',
  );
}
