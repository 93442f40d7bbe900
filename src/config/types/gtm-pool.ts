// `gtm pool TYPE`: what a wide IP chooses from, virtual servers (a, aaaa) or names (cname, mx, naptr, srv).

import { formatAddressOrAny, isUnspecified, parseAddressOrAny } from '../../core/address.ts';
import type { IpFamily } from '../../core/address.ts';
import { ALTERNATE_MODES, MEMBER_MODES } from '../../gtm/description.ts';
import type { MemberMode, WideIpType } from '../../gtm/description.ts';
import { checkMemberMonitors } from '../check-gtm-monitors.ts';
import {
  dependencyKind,
  domainNameKind,
  LIMITS,
  MAX_COUNT,
  parseDestination,
  splitVirtualServerKey,
} from '../gtm-kinds.ts';
import { virtualServerKind } from '../gtm-kinds.ts';
import { addressOrAny, choice, flag, integer, pattern, port, recordsByPattern, string, toggle } from '../kinds.ts';
import { yesNo } from '../kinds.ts';
import { monitorOfPartKind } from '../monitor-rule.ts';
import { type AnyConfigObject, objectType, type ObjectOf } from '../object-type.ts';
import { ordered } from '../ordered.ts';
import type { PropertyMap } from '../property.ts';
import { remembered, type ObjectContext } from '../remembered.ts';
import { checkDependency, gtmServer } from './gtm-server.ts';

/** What chooses members at first. */
const PREFERRED_MODES = MEMBER_MODES.filter((mode): mode is Exclude<MemberMode, 'none'> => mode !== 'none');

const MAX_16_BITS = 65_535;

const count = (value: number, help: string) => integer({ min: 0, max: MAX_COUNT }, { default: value, help });
const weight = (value: number, what: string) => count(value, `What ${what} weighs in quality-of-service.`);
const number16 = (value: number, help: string) => integer({ min: 0, max: MAX_16_BITS }, { default: value, help });

/** What members of all types have. */
const MEMBER = {
  description: string({ help: 'Text for people.' }),
  enabled: flag('enabled', 'disabled', { default: true, help: 'Whether it is used.' }),
  'member-order': number16(0, 'Its place, from 0 on: global-availability takes the first that is available.'),
  ratio: number16(1, 'Its weight in ratio.'),
};

const ADDRESS_MEMBERS = recordsByPattern(
  virtualServerKind,
  {
    'depends-on': recordsByPattern(
      dependencyKind,
      {},
      { default: {}, help: 'Virtual servers without which it is not available.' },
    ),
    ...MEMBER,
    ...LIMITS,
    monitor: pattern(monitorOfPartKind('gtm'), {
      default: 'default',
      help: 'What watches it: default, that of the pool.',
    }),
  },
  {
    default: {},
    isOrdered: true,
    help: 'Virtual servers, each by its server and its name: /Common/server:/Common/vs.',
  },
);

const NAMES = 'Names that are answered. One that is no wide IP of ours';

const CNAME_MEMBERS = recordsByPattern(
  domainNameKind,
  {
    ...MEMBER,
    'static-target': yesNo({ default: false, help: 'Whether it is answered though no wide IP has its name.' }),
  },
  { default: {}, isOrdered: true, help: `${NAMES} needs static-target yes.` },
);

const MX_MEMBERS = recordsByPattern(
  domainNameKind,
  { ...MEMBER, priority: number16(10, 'The preference of the record.') },
  { default: {}, isOrdered: true, help: `${NAMES} counts as available.` },
);

const NAPTR_MEMBERS = recordsByPattern(
  domainNameKind,
  {
    ...MEMBER,
    flags: string({ default: '', help: 'The flags of the record, as s.' }),
    order: number16(10, 'The order of the record.'),
    preference: number16(10, 'The preference of the record.'),
    service: string({ default: '', help: 'The services of the record, as SIP+D2U.' }),
  },
  { default: {}, isOrdered: true, help: `${NAMES} counts as available.` },
);

const SRV_MEMBERS = recordsByPattern(
  domainNameKind,
  {
    ...MEMBER,
    port: port({ required: true, help: 'The port of the record.' }),
    priority: number16(10, 'The priority of the record.'),
    weight: number16(10, 'The weight of the record.'),
  },
  { default: {}, isOrdered: true, help: `${NAMES} counts as available.` },
);

/** Properties of pools whose members are virtual servers. */
const ADDRESS_POOL = {
  'fallback-ip': addressOrAny({ default: 'any', help: 'What the mode fallback-ip answers; any: nothing.' }),
  ...LIMITS,
  monitor: pattern(monitorOfPartKind('gtm'), {
    default: 'default',
    help: 'What watches its members: default, that of the server.',
  }),
};

const POOL = {
  'alternate-mode': choice(ALTERNATE_MODES, {
    default: 'round-robin',
    help: 'How a member is chosen when load-balancing-mode can choose none.',
  }),
  description: string({ help: 'Text for people.' }),
  'dynamic-ratio': toggle({
    default: false,
    help: 'Whether ratio weighs members by the scores of their virtual servers instead of ratio.',
  }),
  enabled: flag('enabled', 'disabled', { default: true, help: 'Whether it is used.' }),
  'fallback-mode': choice(MEMBER_MODES, {
    default: 'return-to-dns',
    help: 'How a member is chosen when neither of the other modes can; members may be offline.',
  }),
  'load-balancing-mode': choice(PREFERRED_MODES, { default: 'round-robin', help: 'How a member is chosen at first.' }),
  'manual-resume': toggle({
    default: false,
    help: 'Whether a member that went offline stays so until somebody resumes it.',
  }),
  'max-answers-returned': integer({ min: 1, max: 500 }, { default: 1, help: 'Records that an answer has at most.' }),
  'min-members-up-mode': choice(['off', 'number', 'percent'], {
    default: 'off',
    help: 'What min-members-up-value counts: members, or per cent of those that are enabled.',
  }),
  'min-members-up-value': integer(
    { min: 0, max: MAX_16_BITS },
    { default: 0, help: 'Members that must be available, so that the pool is.' },
  ),
  'qos-hit-ratio': weight(5, 'the completion rate'),
  'qos-hops': weight(0, 'the number of hops'),
  'qos-kilobytes-second': weight(3, 'the throughput'),
  'qos-lcs': weight(30, 'the capacity of the link'),
  'qos-packet-rate': weight(1, 'the packet rate'),
  'qos-rtt': weight(50, 'the round-trip time'),
  'qos-topology': weight(0, 'the topology score'),
  'qos-vs-capacity': weight(0, 'the capacity of the virtual server'),
  'qos-vs-score': weight(0, 'the score of the virtual server'),
  ttl: integer({ min: 0, max: 0x7fff_ffff }, { default: 30, help: 'Seconds that an answer may be kept for.' }),
  'verify-member-availability': toggle({
    default: true,
    help: 'Whether members must be available; otherwise being enabled is enough.',
  }),
};

const WITHIN_POOL: Readonly<Record<WideIpType, string>> = {
  a: 'virtual servers with addresses of IPv4',
  aaaa: 'virtual servers with addresses of IPv6',
  cname: 'names that wide IPs are aliases of',
  mx: 'names of mail exchangers',
  naptr: 'names that NAPTR records lead to',
  srv: 'names of hosts with a service',
};

function poolType<const T extends WideIpType, const M extends PropertyMap>(
  type: T,
  properties: M,
  example: string,
  check: (object: AnyConfigObject, context: ObjectContext) => void,
) {
  const checked = remembered(check);
  return objectType({
    path: `gtm pool ${type}` as const,
    label: `Pool ${type.toUpperCase()}`,
    runBy: 'dnsd',
    ...(type === 'a' || type === 'aaaa' ? { readBy: ['healthd'] } : {}),
    help: `What wide IPs choose from: ${WITHIN_POOL[type]}.`,
    example,
    naming: 'full-path',
    sync: 'gtm',
    properties: ordered({ ...POOL, ...properties }),
    check(objects, context) {
      for (const object of objects) checked(object, context);
    },
  });
}

const SERVER_EXAMPLE = (address: string, destination: string) => `
gtm datacenter east { }
gtm server web {
    datacenter east
    devices {
        web {
            addresses {
                ${address} { }
            }
        }
    }
    product generic-host
    virtual-servers {
        http {
            destination ${destination}
        }
    }
}
`;

export const gtmPoolA = poolType(
  'a',
  { ...ADDRESS_POOL, members: ADDRESS_MEMBERS },
  `${SERVER_EXAMPLE('192.0.2.1', '192.0.2.80:80')}gtm pool a web {
    load-balancing-mode global-availability
    members {
        web:http {
            member-order 0
        }
    }
}
`,
  (object, context) => checkAddresses(object as GtmPoolA, 4, context),
);

export const gtmPoolAaaa = poolType(
  'aaaa',
  { ...ADDRESS_POOL, members: ADDRESS_MEMBERS },
  `${SERVER_EXAMPLE('2001:db8::1', '2001:db8::80.80')}gtm pool aaaa web {
    members {
        web:http {
            member-order 0
        }
    }
}
`,
  (object, context) => checkAddresses(object as GtmPoolAaaa, 6, context),
);

export const gtmPoolCname = poolType(
  'cname',
  { members: CNAME_MEMBERS },
  `
gtm pool cname cdn {
    members {
        www.cdn.example.net {
            member-order 0
            static-target yes
        }
    }
}
`,
  checkPool,
);

export const gtmPoolMx = poolType(
  'mx',
  { members: MX_MEMBERS },
  `
gtm pool mx mail {
    max-answers-returned 2
    members {
        mx1.example.com { }
        mx2.example.com {
            priority 20
        }
    }
}
`,
  checkPool,
);

export const gtmPoolNaptr = poolType(
  'naptr',
  { members: NAPTR_MEMBERS },
  `
gtm pool naptr sip {
    members {
        _sip._udp.example.com {
            flags s
            service SIP+D2U
        }
    }
}
`,
  checkPool,
);

export const gtmPoolSrv = poolType(
  'srv',
  { members: SRV_MEMBERS },
  `
gtm pool srv sip {
    members {
        sip1.example.com {
            port 5060
        }
    }
}
`,
  (object, context) => {
    checkPool(object, context);
    for (const [name, member] of Object.entries((object as GtmPoolSrv).properties.members)) {
      if ((member.port as number | undefined) !== undefined) continue;
      const text = `${labelOf(object)}: member ${name} must have a value for port.`;
      const hint = 'Write port NUMBER inside its braces.';
      context.error(object, text, { code: 'missingProperty', property: 'members', value: name, hint });
    }
  },
);

/** By type. */
export const GTM_POOLS = {
  a: gtmPoolA,
  aaaa: gtmPoolAaaa,
  cname: gtmPoolCname,
  mx: gtmPoolMx,
  naptr: gtmPoolNaptr,
  srv: gtmPoolSrv,
};

export type GtmPoolA = ObjectOf<typeof gtmPoolA>;
export type GtmPoolAaaa = ObjectOf<typeof gtmPoolAaaa>;
export type GtmPoolCname = ObjectOf<typeof gtmPoolCname>;
export type GtmPoolMx = ObjectOf<typeof gtmPoolMx>;
export type GtmPoolNaptr = ObjectOf<typeof gtmPoolNaptr>;
export type GtmPoolSrv = ObjectOf<typeof gtmPoolSrv>;
/** A pool of any type, by what all of them have. */
export type AnyPool = ObjectOf<(typeof GTM_POOLS)[WideIpType]>;

function labelOf({ type, name }: AnyConfigObject): string {
  return `Pool ${type.slice('gtm pool '.length).toUpperCase()} (${name})`;
}

/** Whether the two properties of min-members-up go together. */
function checkPool(object: AnyConfigObject, context: ObjectContext): void {
  const { 'min-members-up-mode': mode, 'min-members-up-value': value } = (object as AnyPool).properties;
  if (mode !== 'percent' || value <= 100) return;
  context.error(object, `${labelOf(object)}: min-members-up-value ${value} is more than 100 per cent.`, {
    property: 'min-members-up-value',
    value: String(value),
    hint: 'Write a number from 0 to 100, or min-members-up-mode number.',
  });
}

function checkAddresses(object: GtmPoolA | GtmPoolAaaa, family: IpFamily, context: ObjectContext): void {
  checkPool(object, context);
  const { members, 'fallback-ip': text } = object.properties;
  const fallback = parseAddressOrAny(text)!;
  if (!isUnspecified(fallback) && (fallback.family !== family || fallback.routeDomain !== 0)) {
    const problem = `fallback-ip ${formatAddressOrAny(fallback)} is no address of IPv${family} that can be answered`;
    const hint = `A pool of this type answers addresses of IPv${family}, without a route domain; any stands for none.`;
    context.error(object, `${labelOf(object)}: ${problem}.`, { property: 'fallback-ip', value: text, hint });
  }
  for (const [key, member] of Object.entries(members)) {
    checkMember(object, key, family, context);
    for (const needed of Object.keys(member['depends-on'])) {
      checkDependency(object, `member ${key}`, 'members', needed, context);
    }
    const rule = member.monitor === 'default' ? object.properties.monitor : member.monitor;
    checkMemberMonitors(object, labelOf(object), { key, rule, virtualServer: virtualServerOf(key, context) }, context);
  }
}

/** Whether the virtual server is there, with an address of the family; that the server is, is a matter of references. */
function checkMember(object: AnyConfigObject, key: string, family: IpFamily, context: ObjectContext): void {
  const { server: serverName, virtualServer: name } = splitVirtualServerKey(key);
  const server = context.find(gtmServer, serverName);
  if (server === undefined) return;
  const virtualServer = server.properties['virtual-servers'][name];
  if (virtualServer === undefined) {
    const text = `The requested virtual server (${name}) was not found on Server (${serverName}): it is a member of ${labelOf(object)}.`;
    const hint = `list gtm server ${serverName} virtual-servers shows those that exist. To take the member away: modify ${object.type} ${object.name} members delete { ${key} }`;
    context.error(object, text, { code: 'notFound', property: 'members', value: key, hint });
    return;
  }
  const destination = destinationOf(virtualServer);
  if (destination === undefined || parseDestination(destination)!.address.family === family) return;
  const text = `${labelOf(object)}: member ${key} has the address ${destination}, which is none of IPv${family}.`;
  const other = family === 4 ? 'aaaa' : 'a';
  context.error(object, text, {
    property: 'members',
    value: key,
    hint: `It can be a member of a pool of type ${other}.`,
  });
}

function virtualServerOf(key: string, context: ObjectContext) {
  const { server, virtualServer } = splitVirtualServerKey(key);
  return context.find(gtmServer, server)?.properties['virtual-servers'][virtualServer];
}

/** Where one is missing the server is refused, and the pool is not looked at for that. */
function destinationOf({ destination }: { readonly destination?: string }): string | undefined {
  return destination;
}
