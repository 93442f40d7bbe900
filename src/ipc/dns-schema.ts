// What dnsd is asked, and what it asks the supervisor for.

import * as z from 'zod';
import { applyFailureSchema, ipText } from './common-schema.ts';
import { HEALTH_METHODS } from './health-schema.ts';

const deviceNameText = z.string().regex(/^[^\s/"\\]{1,15}$/);
const namespaceText = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/);

const queryRuleSchema = z.object({
  device: deviceNameText,
  /** UDP port. */
  port: z.number().int().min(1).max(65_535),
  addresses: z.array(ipText).min(1),
  /** The network namespace of the device; absent: that of the supervisor. */
  namespace: namespaceText.optional(),
});

export const DNS_METHODS = {
  ...HEALTH_METHODS,
  /** dnsd: what a query would be answered, and why; the lines are for a person. */
  'dns-explain': {
    params: z.object({
      name: z.string(),
      /** `AAAA`. */
      type: z.string(),
      /** Where the query comes from; absent: this machine. */
      from: ipText.optional(),
      /** The network that the query is asked for (RFC 7871): `203.0.113.0/24`. */
      subnet: z.string().optional(),
      /** Full path of the listener that is asked; absent: the first. */
      listener: z.string().optional(),
    }),
    result: z.object({ lines: z.array(z.string()) }),
  },
  /** dnsd: wide IPs forget where clients were sent before; how many clients there were. */
  'forget-persist': { params: z.object({}), result: z.object({ clients: z.number().int() }) },
  /** dnsd: queries and what became of them, as lines; `lost`: how many were not noted since the beginning. */
  'dns-log': { params: z.object({}), item: z.object({ lines: z.array(z.string()), lost: z.number() }) },
  /** dnsd: reads the master files of zones again; what is wrong with them, and then they are served as before. */
  'reload-zones': {
    params: z.object({ names: z.array(z.string()).optional() }),
    result: z.object({ zones: z.number().int(), failures: z.array(applyFailureSchema) }),
  },
  /**
   * Supervisor: opens a socket of a server in the network namespace of a route domain, and sends it to the caller's inbox with the
   * number of the request. There is none as long as the route domain has no self IP.
   */
  'open-server-socket': {
    params: z.object({
      routeDomain: z.number().int().positive(),
      address: ipText,
      port: z.number().int().min(1).max(65_535),
      isStream: z.boolean(),
      isShared: z.boolean(),
      tag: z.number().int(),
    }),
    result: z.object({
      /** Name of the namespace. */
      namespace: z.string(),
    }),
  },
  /** Supervisor: the same with a packet socket that is bound to nothing, and the device that has the address. */
  'open-packet-socket': {
    params: z.object({ routeDomain: z.number().int().positive(), address: ipText, tag: z.number().int() }),
    result: z.object({
      /** Name of the namespace, and of the device in it that has the address. */
      namespace: z.string(),
      device: z.string(),
    }),
  },
  /**
   * Supervisor: the questions that the daemon takes straight from devices, all of them: they are kept from the kernel until the daemon
   * says otherwise or ends.
   */
  'set-query-rules': {
    params: z.object({ daemon: z.string(), rules: z.array(queryRuleSchema) }),
    /** One for each device. */
    result: z.object({
      rules: z.array(
        z.object({ device: z.string(), namespace: z.string().optional(), failure: z.string().optional() }),
      ),
    }),
  },
} as const;
