// Whether monitors of BIG-IP DNS fit what they watch: virtual servers of servers, and members of pools.

import { checkFit } from './check-monitor-fit.ts';
import { parseDestination } from './gtm-kinds.ts';
import type { AnyConfigObject } from './object-type.ts';
import type { ObjectContext } from './remembered.ts';

/** What a virtual server says of where it is probed; where it has no destination, it is refused anyway. */
export type ProbedServer = {
  readonly monitor: string;
  readonly destination?: string;
  readonly 'translation-port': number;
};

type Server = AnyConfigObject & {
  readonly properties: {
    readonly monitor?: string;
    readonly product: string;
    readonly 'virtual-servers': Readonly<Record<string, ProbedServer>>;
  };
};

/** The port that is probed: the server's own, where another one is seen from outside. */
function portOf({ destination, 'translation-port': port }: ProbedServer): { port?: number } {
  const found = port === 0 ? parseDestination(destination ?? '')?.port : port;
  return found === undefined ? {} : { port: found };
}

export function checkServerMonitors(object: Server, context: ObjectContext): void {
  const { monitor = 'none', product, 'virtual-servers': virtualServers } = object.properties;
  const server = `Server (${object.name})`;
  for (const [name, virtualServer] of Object.entries(virtualServers)) {
    const rule = virtualServer.monitor === 'default' ? monitor : virtualServer.monitor;
    const what = `${server} virtual server ${name}`;
    checkFit('gtm', object, rule, { what, property: 'virtual-servers', ...portOf(virtualServer) }, context);
  }
  if (product === 'bigip') return;
  // Only what speaks iQuery can say how its virtual servers are.
  checkFit('gtm', object, monitor, { what: server, property: 'monitor' }, context, (type, { name }) => {
    if (type !== 'bigip') return;
    const text = `${server}: monitor ${name} asks the server over iQuery, which product ${product} does not speak.`;
    const hint = 'Name monitors that probe it, as tcp, or write product bigip.';
    context.warn(object, text, { property: 'monitor', value: name, hint });
  });
}

/** What a member of a pool is watched by, beside what watches its virtual server. */
export type Member = {
  readonly key: string;
  /** Its own rule, or that of the pool. */
  readonly rule: string;
  readonly virtualServer: ProbedServer | undefined;
};

/** `pool`: as messages name it. */
export function checkMemberMonitors(
  object: AnyConfigObject,
  pool: string,
  member: Member,
  context: ObjectContext,
): void {
  const { key, rule, virtualServer } = member;
  const what = `${pool} member ${key}`;
  const port = virtualServer === undefined ? {} : portOf(virtualServer);
  checkFit('gtm', object, rule, { what, property: 'members', ...port }, context, (type, { name }) => {
    if (type !== 'bigip') return;
    const text = `${what}: monitor ${name} watches servers, and says nothing of members.`;
    const hint = `Name it as the monitor of the server: modify gtm server ${key.slice(0, key.indexOf(':'))} monitor ${name}`;
    context.warn(object, text, { property: 'members', value: key, hint });
  });
}
