// The name servers of the root, a to m, which a server gives that knows nothing better (the action `hint`).

import { nameOf, ROOT_NAME } from './name.ts';
import { type Query, Rcode } from './query.ts';
import type { Reply } from './reply.ts';
import { TYPE } from './record-types.ts';
import type { AnswerMeans } from './zone-answer.ts';

/** Seconds that the root zone itself gives them. */
const TTL = 518_400;

const SERVERS = Array.from('abcdefghijklm', (letter) => nameOf(`${letter}.root-servers.net.`));

/** A referral to the root; its addresses everybody has who asks servers like us. */
export function writeRootServers(query: Query, reply: Reply, { writer, limit }: AnswerMeans): void {
  reply.clear(Rcode.noError);
  writer.start(query, limit);
  for (const server of SERVERS) {
    if (!writer.record(ROOT_NAME, 0, TYPE.NS, TTL, server, 0, server.length)) {
      reply.isTruncated = true;
      reply.authorities = 0;
      return;
    }
    reply.authorities++;
  }
  reply.tail = writer.octets;
  reply.tailAt = writer.tailAt;
  reply.tailOctets = writer.tailOctets;
}
