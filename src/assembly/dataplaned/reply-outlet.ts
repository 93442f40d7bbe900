// Replies leave by the member that the question came in by (auto last hop), whatever the routes say.
//
// Out of a tunnel of several ends the reply goes to the end that the question came from. Where ends are not learned it goes
// to the one that the forwarding database names for the station.

import { type Member, MemberKind } from '../../bridge/domain.ts';
import { FdbField, type ForwardingDatabase } from '../../bridge/fdb.ts';
import { macHigh16, macLow32 } from '../../core/mac.ts';
import type { Frame } from '../../packet/frame.ts';
import { ETHERNET_DESTINATION } from '../../wire/ethernet.ts';

export class ReplyOutlet {
  readonly #bytes: Uint8Array;
  readonly #fdb: ForwardingDatabase;

  constructor(bytes: Uint8Array, fdb: ForwardingDatabase) {
    this.#bytes = bytes;
    this.#fdb = fdb;
  }

  /** Sends a frame whose headers are those of the reply; `endpoint` is that of the question. */
  send(frame: Frame, member: Member): void {
    const { domain } = member;
    frame.egress = member.id;
    if (frame.endpoint === -1 && member.kind === MemberKind.tunnel && !domain.isLayer3) {
      const station = frame.start + ETHERNET_DESTINATION;
      const entry = this.#fdb.find(domain.id, macHigh16(this.#bytes, station), macLow32(this.#bytes, station));
      if (entry !== -1 && this.#fdb.memberAt(entry) === member.id) {
        frame.endpoint = this.#fdb.table[entry + FdbField.endpoint]!;
      }
    }
    member.outlet.push(frame);
  }
}
