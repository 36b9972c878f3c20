import { Type } from 'class-transformer';
import {
  IsIn,
  IsInt,
  IsObject,
  IsOptional,
  IsString,
  IsUUID,
  Length,
  Matches,
  Max,
  MaxLength,
  Min,
  ValidateNested,
} from 'class-validator';
import type { ExecutionMode } from '../../../domain/execution/execution.js';
import { IsStringMap } from './is-string-map.js';

const CODE_MAX = 8 * 1_048_576;
const COMMAND_MAX = 131_072;
const DAY_MS = 86_400_000;

export class BatchDto {
  @IsOptional()
  @IsString()
  @MaxLength(COMMAND_MAX)
  clean?: string;

  @IsOptional()
  @IsString()
  @MaxLength(COMMAND_MAX)
  build?: string;

  @IsOptional()
  @IsString()
  @MaxLength(COMMAND_MAX)
  exec?: string;
}

export class ExecuteDto {
  @IsOptional()
  @IsString()
  @Matches(/^[\w.:-]{1,128}$/, { message: 'run_id must be 1 to 128 letters, digits or any of _.:-' })
  run_id?: string;

  @IsOptional()
  @IsIn(['query', 'batch', 'input', 'continue'])
  mode?: ExecutionMode;

  @IsOptional()
  @IsString()
  @MaxLength(CODE_MAX)
  code?: string;

  @IsOptional()
  @ValidateNested()
  @Type(() => BatchDto)
  batch?: BatchDto;

  /** The call answers `continued` after so many milliseconds; without it only when the run has something to say at its end. */
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(DAY_MS)
  flush_timeout_ms?: number;
}

export class CompleteDto {
  @IsString()
  @MaxLength(CODE_MAX)
  code!: string;

  @IsOptional()
  @IsObject()
  options?: Record<string, unknown>;
}

export class StartServiceDto {
  @IsOptional()
  @IsObject()
  arguments?: Record<string, unknown>;

  @IsOptional()
  @IsStringMap({ maxEntries: 256, maxValueLength: 131_072 })
  envs?: Record<string, string | number>;
}

export class DestroyQueryDto {
  @IsOptional()
  @IsString()
  @Length(1, 64)
  reason?: string;

  @IsOptional()
  @IsUUID('loose')
  session_id?: string;
}

const SWITCH = ['', '0', '1', 'true', 'false'];

export class LogsQueryDto {
  @IsOptional()
  @IsIn(SWITCH)
  follow?: string;

  /** Only so many lines from the end. */
  @IsOptional()
  @Matches(/^\d{1,9}$/, { message: 'tail must be a number of lines' })
  tail?: string;
}

export class EventsQueryDto {
  /** Event names, comma-separated. */
  @IsOptional()
  @Matches(/^[a-z_]{1,64}(,[a-z_]{1,64}){0,63}$/, { message: 'name must be event names, comma-separated' })
  name?: string;

  @IsOptional()
  @IsUUID('loose')
  kernel_id?: string;

  /** Events after this id; header `Last-Event-ID` does the same and wins. */
  @IsOptional()
  @Matches(/^\d{1,15}$/, { message: 'since must be the id of an event' })
  since?: string;

  /** `false` = only what is kept of the past, then the end. */
  @IsOptional()
  @IsIn(SWITCH)
  follow?: string;
}

/** `?follow` and `?follow=1` mean yes. */
export function isOn(text: string | undefined, otherwise: boolean): boolean {
  return text === undefined ? otherwise : text === '' || text === '1' || text === 'true';
}
