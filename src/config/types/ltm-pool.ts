// `ltm pool`: addresses of which each can do the same. Here routes have one in place of a single gateway.

import { formatAddress, parseAddress } from '../../core/address.ts';
import { address, pattern, recordsByPattern, string } from '../kinds.ts';
import { monitorRuleKind } from '../monitor-rule.ts';
import { COMMON, fullPath, pathProblem, relativeName } from '../name.ts';
import { objectType, type ObjectOf } from '../object-type.ts';
import type { Reading } from '../property.ts';
import { POOL } from './ltm-pool-target.ts';
import { parseService } from '../../wire/service-names.ts';

/** `10.1.1.1:0`, `10.1.1.1%5:http`, `2001:db8::1.any`; any port is 0. */
const MEMBER = /^(.+)[:.]([a-z0-9][a-z0-9-]*)$/;

/** What stands in front of the port; undefined where no port stands at the end. */
function hostOf(member: string): string | undefined {
  const [, host, port = ''] = MEMBER.exec(member.slice(member.lastIndexOf('/') + 1)) ?? [];
  return host !== undefined && parseService(`tcp:${port}`) !== undefined ? host : undefined;
}

/** The address of a pool member, by its name. */
export function memberAddress(name: string): string | undefined {
  const parsed = parseAddress(hostOf(name) ?? '');
  return parsed === undefined ? undefined : formatAddress(parsed);
}

function readMember(word: string, folder: string): Reading<string> {
  const path = fullPath(word, folder);
  const problem = pathProblem(path);
  if (problem !== undefined) return { problem: `must be the name of a pool member: ${problem}` };
  if (hostOf(path) === undefined) return { problem: 'must be an address or a name with a port, as in 10.1.1.1:0' };
  return { value: path.replace(/any$/, '0').replace(/%0(?=[:.][^:.]*$)/, '') };
}

/** A member that is named by an address of its pool's partition. */
function memberInDomain(member: string, routeDomain: number): string {
  const host = member.startsWith(`${COMMON}/`) ? undefined : hostOf(member);
  if (host === undefined || host.includes('%') || parseAddress(host) === undefined) return member;
  const end = member.lastIndexOf('/') + 1 + host.length;
  return `${member.slice(0, end)}%${routeDomain}${member.slice(end)}`;
}

export const ltmPool = objectType({
  ...POOL,
  readBy: ['healthd'],
  help: 'Addresses of which each can do the same: the gateways of a route.',
  example: `
ltm pool gateways {
    members {
        192.0.2.10:0 { }
        192.0.2.11:0 { }
    }
}
`,
  sync: 'device-group',
  properties: {
    description: string({ help: 'Text for people.' }),
    'load-balancing-mode': string({
      default: 'round-robin',
      help: 'How a member is chosen; routes choose by a hash of the flow.',
      inert: true,
    }),
    members: recordsByPattern(
      {
        name: 'pool-member',
        expects: 'an address with a port, as in 10.1.1.1:0',
        read: readMember,
        print: (value, folder) => relativeName(value, folder),
        inDomain: memberInDomain,
      },
      {
        address: address({ help: 'The address; when it is left out, that in the name.' }),
        description: string({ help: 'Text for people.' }),
      },
      { default: {}, help: 'The members, each an address with a port; the port of a gateway has no meaning.' },
    ),
    monitor: pattern(monitorRuleKind('ltm'), {
      help: 'What watches the members. Gateways are also watched by ARP and neighbour discovery, which is all that routes look at.',
    }),
  },
  check(objects, context) {
    for (const object of objects) {
      for (const [name, member] of Object.entries(object.properties.members)) {
        if ((member.address ?? memberAddress(name)) !== undefined) continue;
        context.error(object, `Pool (${object.name}): member ${name} has no address.`, {
          property: 'members',
          value: name,
          hint: 'Write address ADDRESS inside its braces.',
        });
      }
    }
  },
});

export type Pool = ObjectOf<typeof ltmPool>;

/** The addresses of a pool. */
export function poolAddresses({ properties }: Pool): string[] {
  return Object.entries(properties.members).flatMap(([name, member]) => member.address ?? memberAddress(name) ?? []);
}
