import { AgentError, type AgentErrorOptions, untraced } from './agent-error.js';

/** The catalogue of expected failures: one function each, named after the wire name it produces. */

type Make = (message: string, options?: AgentErrorOptions) => AgentError;

/** Makes failures of requests that are wrong, in words of the wire: those that only one adapter knows are made by it. */
export const user =
  (name: string, status = 400): Make =>
  (message, options) =>
    untraced(() => new AgentError(name, 'user', status, message, options));

const operational =
  (name: string, status = 500, defaults: AgentErrorOptions = {}): Make =>
  (message, options) =>
    new AgentError(name, 'operational', status, message, { ...defaults, ...options });

export const invalidArgument = user('InvalidArgumentError');
export const unsupportedResource = user('UnsupportedResource');
export const invalidResourceArgument = user('InvalidResourceArgument');
export const invalidResourceCombination = user('InvalidResourceCombination');
export const notMultipleOfQuantum = user('NotMultipleOfQuantum');
export const fractionalResourceFragmented = user('FractionalResourceFragmented');
export const insufficientResource = user('InsufficientResource');
export const resourceError = user('ResourceError');
export const reservedPort = user('ReservedPortError');
export const portConflict = user('PortConflictError');
export const imageArchitectureMismatch = user('ImageArchitectureMismatchError');
export const imageNotAvailable = user('ImageNotAvailable', 404);
export const kernelNotFound = user('KernelNotFoundError', 404);
export const permissionDenied = user('PermissionError', 403);
export const fileNotFound = user('FileNotFoundError', 404);
export const runNotFound = user('RunNotFoundError', 404);
export const tooManyRuns = user('TooManyRunsError', 429);
export const notSupported = user('NotImplementedError', 501);
export const configurationInvalid = user('ConfigurationError');

export const portPoolExhausted = operational('PortPoolExhaustedError', 503, { retryable: true });
export const imagePullFailed = operational('ImagePullError');
export const imageCommitFailed = operational('ImageCommitError', 409);
export const imagePullTimeout = operational('ImagePullTimeoutError', 504, { retryable: true });
export const containerCreationFailed = operational('ContainerCreationFailedError');
export const containerStartupFailed = operational('ContainerStartupFailedError');
export const containerStartupTimeout = operational('ContainerStartupTimeoutError', 504);
export const containerStartupCancelled = operational('ContainerStartupCancelledError');
export const kernelRunnerFailure = operational('KernelRunnerError', 502);
export const kernelTerminated = operational('KernelTerminatedError', 410);
export const kernelRunnerNotInitialized = operational('KernelRunnerNotInitializedError', 409, { retryable: true });
export const containerTeardownIncomplete = operational('ContainerTeardownIncompleteError', 500, { retryable: true });
export const engineUnavailable = operational('ContainerEngineUnavailableError', 503, { retryable: true });
export const engineConflict = operational('ContainerEngineConflictError', 409);
export const engineError = operational('ContainerEngineError');
export const deadlineExceeded = operational('TimeoutError', 504, { retryable: true });
export const storageFailure = operational('StorageError', 507);
export const agentNotReady = operational('NotReadyError', 503, { retryable: true });
export const hostServiceFailed = operational('HostServiceError');
export const addressInUse = operational('AddressInUseError', 409);
export const agentAlreadyRunning = operational('AgentAlreadyRunningError', 409);
export const agentUnreachable = operational('AgentUnreachableError', 503, { retryable: true });
export const stateStoreFailure = operational('StateStoreError', 503, { retryable: true });
export const configSourceFailure = operational('ConfigSourceError', 503);
