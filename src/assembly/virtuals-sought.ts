// What to look for on a machine for each virtual server of a `gtm server`.

import { parseDestination } from '../config/gtm-kinds.ts';
import { COMMON, fullPath } from '../config/name.ts';
import type { GtmServer } from '../config/types/gtm-server.ts';
import { formatBareAddress, parseAddress } from '../core/address.ts';
import { kept } from '../core/kept.ts';
import { virtualServerKey } from '../gtm/description.ts';
import type { VirtualSought } from '../health/machine-virtuals.ts';

export type SoughtByKey = VirtualSought & {
  /** As facts name it: `/Common/server:name`. */
  readonly key: string;
};

/** Those of one server; the same list from one call to the next. */
export const virtualsSought = kept(({ name: server, properties }: GtmServer): readonly SoughtByKey[] =>
  Object.entries(properties['virtual-servers']).map(([name, virtual]) => {
    const { destination, 'translation-address': translation, 'translation-port': translationPort } = virtual;
    const { address, port } = parseDestination(destination)!;
    const outside = { address: formatBareAddress(address), port };
    const inside = { address: bare(translation), port: translationPort === 0 ? port : translationPort };
    const ltmName = virtual['ltm-name'];
    return {
      key: virtualServerKey(server, name),
      places: translation === 'none' ? [outside] : [inside, outside],
      names: [...(ltmName === undefined || ltmName === '' ? [] : [ltmName]), name].map((each) =>
        fullPath(each, COMMON),
      ),
    };
  }),
);

function bare(text: string): string {
  const parsed = parseAddress(text);
  return parsed === undefined ? text : formatBareAddress(parsed);
}
