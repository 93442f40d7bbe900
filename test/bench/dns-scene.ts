// What servers of the DNS benchmarks serve and are asked: the same for all of them, each in its own words.

import { benchMasterFile, benchQuestions, ORIGIN } from './dns-zone.ts';

export const RECORDS = 10_000;
const A = 1;
const QUESTIONS = 20_000;
const TTL = 30;
/** Weights of the addresses behind a wide IP, as gdnsd's plugin has them. */
export const WEIGHTS = [10, 20, 30, 40];
const MIX_NAMES = 100;

export type Scene = {
  /** What `dns-program.js` makes of it: what wide IPs go by, and how many there are; empty: none. */
  readonly wideIps: string;
  /** As a master file, with wide IPs as `gdnsd` says them or, for servers that have none, as single addresses. */
  readonly masterFile: (peer: 'gdnsd' | 'other') => string;
  readonly questions: () => string;
  /** Sections of gdnsd's configuration. */
  readonly gdnsd: string;
};

export const STATIC: Scene = {
  wideIps: '',
  masterFile: () => benchMasterFile(RECORDS),
  questions: () => benchQuestions(RECORDS),
  gdnsd: '',
};

/** Address number `member` behind every wide IP. */
export const memberAddress = (member: number): string => `10.9.0.${member + 1}`;

const WEIGHTED = `plugins => { weighted => { service_types = up, multi = false, w => { ${WEIGHTS.map(
  (weight, member) => `a${member} = [ ${memberAddress(member)}, ${weight} ]`,
).join(', ')} } } }\n`;

function wideIpLines(count: number, peer: 'gdnsd' | 'other'): string {
  const data = peer === 'gdnsd' ? 'DYNA weighted!w' : `IN A ${memberAddress(0)}`;
  return Array.from({ length: count }, (_, index) => `w${index} ${TTL} ${data}\n`).join('');
}

/** Half of the questions for addresses of the zone, a quarter for names that are not there, a quarter for wide IPs of all kinds. */
export const MIX: Scene = {
  wideIps: `mix ${MIX_NAMES}`,
  masterFile: (peer) => benchMasterFile(RECORDS) + wideIpLines(MIX_NAMES, peer),
  questions: () => benchQuestions(RECORDS, { absentPercent: 25, wideIpPercent: 25, wideIps: MIX_NAMES }),
  gdnsd: WEIGHTED,
};

/** Nothing but wide IPs that go by one mode, against gdnsd's that go by weights. */
export const wideIpScene = (mode: string, count: number): Scene => ({
  wideIps: `${mode} ${count}`,
  masterFile: (peer) => benchMasterFile(0) + wideIpLines(peer === 'gdnsd' ? count : 1, peer),
  questions: () =>
    Array.from({ length: QUESTIONS }, (_, index) => `w${(index * 7919) % count}.${ORIGIN} ${A}\n`).join(''),
  gdnsd: WEIGHTED,
});
