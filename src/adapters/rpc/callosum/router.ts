import { Context, Router } from 'zeromq';
import type { Clock } from '../../../application/ports/clock.port.js';
import type { Logger } from '../../../application/ports/logger.port.js';
import { isAgentError } from '../../../domain/error/agent-error.js';
import { configurationInvalid } from '../../../domain/error/errors.js';
import { bindError, resolveBindAddress } from './bind-address.js';
import { RefusalLog } from './refusal-log.js';
import { decodeZ85 } from './z85.js';
import { ZAP_DOMAIN, ZapHandler, type ZapVerdict } from './zap.js';

/** CURVE keys as Z85 text; the agent is the CURVE server and admits only the Manager (rpc.md §2.1). */
export interface CurveKeys {
  readonly publicKey: string;
  readonly secretKey: string;
  readonly managerPublicKey: string;
}

export interface RouterOptions {
  /** `tcp://host:port`; port 0 takes a free one. */
  readonly address: string;
  readonly curve?: CurveKeys | undefined;
  /** Called for each connection that authentication turns away. */
  readonly onRefused?: (() => void) | undefined;
  /** Of one message; a larger one ends its connection. */
  readonly maxMessageBytes: number;
}

export interface OpenRouter {
  readonly router: Router;
  readonly zap: ZapHandler | undefined;
}

const LINGER_MS = 100;
/**
 * Replies that libzmq holds for one peer; what it can't take waits in our own Outbox, where bytes are counted. Small,
 * since these are not: a peer that stops reading holds so many of the largest.
 */
const PEER_SEND_QUEUE = 64;
/** Messages read ahead of us from one peer. */
const PEER_RECEIVE_QUEUE = 256;

/**
 * A ROUTER that listens. Sending never waits: it rejects with `EAGAIN` for a full peer, `EHOSTUNREACH` for one that left.
 *
 * @throws AddressInUseError, ConfigurationError.
 */
export async function openRouter(options: RouterOptions, logger: Logger, clock: Clock): Promise<OpenRouter> {
  const address = await resolveBindAddress(options.address);
  if (options.curve === undefined && !address.loopback) {
    logger.warn('RPC listens beyond this machine without authentication: anyone who reaches it can run code', {
      address: options.address,
      hint: 'set agent.rpc-auth-agent-keypair and agent.rpc-auth-manager-public-key',
    });
  }
  // A context of its own: the authentication endpoint is one per context.
  const context = new Context();
  const router = new Router({
    context,
    linger: LINGER_MS,
    ipv6: address.ipv6,
    mandatory: true,
    sendTimeout: 0,
    maxMessageSize: options.maxMessageBytes,
    sendHighWaterMark: PEER_SEND_QUEUE,
    receiveHighWaterMark: PEER_RECEIVE_QUEUE,
    heartbeatInterval: 20_000,
    heartbeatTimeout: 60_000,
  });
  let zap: ZapHandler | undefined;
  try {
    const refusals = new RefusalLog(logger, clock);
    const onRefused = ({ reason, address: peer }: ZapVerdict): void => {
      refusals.tell(peer, reason);
      options.onRefused?.();
    };
    zap = options.curve && (await secure(router, context, options.curve, onRefused));
    await router.bind(address.endpoint);
  } catch (error) {
    router.close();
    await zap?.[Symbol.asyncDispose]();
    throw isAgentError(error) ? error : bindError(options.address, error);
  }
  return { router, zap };
}

async function secure(
  router: Router,
  context: Context,
  curve: CurveKeys,
  onRefused: (verdict: ZapVerdict) => void,
): Promise<ZapHandler> {
  const managerKey = decodeZ85(curve.managerPublicKey);
  if (managerKey?.length !== 32 || decodeZ85(curve.secretKey)?.length !== 32) {
    throw configurationInvalid('the RPC keys must be Z85 texts of 40 characters', {
      field: managerKey?.length === 32 ? 'agent.rpc-auth-agent-keypair' : 'agent.rpc-auth-manager-public-key',
    });
  }
  const zap = new ZapHandler(context, managerKey, onRefused);
  await zap.start();
  router.zapDomain = ZAP_DOMAIN;
  router.curveServer = true;
  router.curveSecretKey = curve.secretKey;
  return zap;
}
