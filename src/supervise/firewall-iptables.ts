// Reads `iptables-save` as chains that see packets for this host: the table `filter`, chain INPUT and what it jumps to.

import {
  allOf,
  invert,
  matchIf,
  type FirewallChain,
  type Match,
  type ProbePacket,
  type RuleAction,
} from './firewall.ts';

const UDP = new Set(['udp', '17', 'all', '0']);

export function readIptablesSave(text: string, packet: ProbePacket): FirewallChain[] {
  const chains = new Map<string, FirewallChain>();
  let table = '';
  for (const line of text.split('\n')) {
    if (line.startsWith('*')) table = line.slice(1);
    if (table !== 'filter') continue;
    if (line.startsWith(':')) {
      const [name, policy] = line.slice(1).split(' ');
      const sees = name === 'INPUT';
      chains.set(name!, { name: name!, policy: sees ? (policy === 'DROP' ? 'drop' : 'accept') : undefined, rules: [] });
    } else if (line.startsWith('-A ')) {
      const words = line.match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? [];
      chains.get(words[1] ?? '')?.rules.push(readRule(words.slice(2), packet));
    }
  }
  return [...chains.values()];
}

/** Options with a value that neither match nor decide. */
const NEUTRAL = new Set(['-m', '--comment', '--reject-with', '--log-prefix', '--log-level']);

function readRule(words: readonly string[], packet: ProbePacket): { matches: Match; action: RuleAction } {
  const matches: Match[] = [];
  let action: RuleAction = { kind: 'continue' };
  let negated = false;
  for (let i = 0; i < words.length; i++) {
    const option = words[i]!;
    if (option === '!') {
      negated = true;
      continue;
    }
    const value = words[i + 1] ?? '';
    if (option === '-j') action = target(value);
    else if (option === '-g') action = { kind: 'goto', chain: value };
    else if (!NEUTRAL.has(option))
      matches.push(negated ? invert(test(option, value, packet)) : test(option, value, packet));
    negated = false;
    // Words that are no options are values of options that are not known here.
    while (i + 1 < words.length && !words[i + 1]!.startsWith('-') && words[i + 1] !== '!') i++;
  }
  return { matches: allOf(matches), action };
}

function test(option: string, value: string, packet: ProbePacket): Match {
  switch (option) {
    case '-p':
      return matchIf(UDP.has(value));
    case '-i':
      return matchIf(value.endsWith('+') ? packet.device.startsWith(value.slice(0, -1)) : value === packet.device);
    case '--dport':
    case '--dports':
      return matchIf(value.split(',').some((ports) => inRange(ports, packet.port)));
    case '--state':
    case '--ctstate':
      return matchIf(value.split(',').includes('NEW'));
    default:
      return 'maybe';
  }
}

function inRange(ports: string, port: number): boolean {
  const [low, high] = ports.split(':');
  return Number(low) <= port && port <= Number(high ?? low);
}

function target(name: string): RuleAction {
  if (name === 'ACCEPT') return { kind: 'accept' };
  if (name === 'DROP' || name === 'REJECT') return { kind: 'drop' };
  if (name === 'RETURN') return { kind: 'return' };
  // LOG, MARK and other targets go on with the next rule; there is no chain of their name to jump to.
  return { kind: 'jump', chain: name };
}
