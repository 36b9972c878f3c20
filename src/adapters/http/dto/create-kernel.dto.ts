import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsNotEmptyObject,
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
import type { AutoPull, MountPermission, SessionType } from '../../../domain/kernel/kernel-spec.js';
import { IsStringMap } from './is-string-map.js';

const PATH_MAX = 4_096;
const SCRIPT_MAX = 1_048_576;

export class MountDto {
  @IsString()
  @Length(1, PATH_MAX)
  source!: string;

  @IsString()
  @Length(1, PATH_MAX)
  target!: string;

  @IsOptional()
  @IsIn(['ro', 'rw', 'wd'])
  permission?: MountPermission;

  @IsOptional()
  @IsString()
  @Length(1, 255)
  name?: string;
}

export class DotfileDto {
  @IsString()
  @Length(1, PATH_MAX)
  path!: string;

  /** Octal text, as `chmod` takes it. */
  @IsOptional()
  @Matches(/^0?[0-7]{3}$/, { message: 'mode must be octal text such as 644' })
  mode?: string;

  @IsString()
  @MaxLength(SCRIPT_MAX)
  data!: string;
}

export class RegistryCredentialsDto {
  @IsString()
  @Length(1, 255)
  username!: string;

  @IsString()
  @Length(1, 16_384)
  password!: string;
}

/** What `POST /kernels` takes; whether it can be had on this node is for the use case to say. */
export class CreateKernelDto {
  /** Made by the agent if left out. */
  @IsOptional()
  @IsUUID('loose')
  kernel_id?: string;

  @IsOptional()
  @IsUUID('loose')
  session_id?: string;

  @IsString()
  @Length(1, 512)
  image!: string;

  @IsOptional()
  @IsString()
  @Length(1, 32)
  architecture?: string;

  @IsOptional()
  @IsIn(['digest', 'tag', 'none'])
  auto_pull?: AutoPull;

  @IsOptional()
  @Matches(/^sha256:[0-9a-f]{64}$/, { message: 'image_digest must be sha256: and 64 hexadecimal digits' })
  image_digest?: string;

  @IsOptional()
  @ValidateNested()
  @Type(() => RegistryCredentialsDto)
  registry_credentials?: RegistryCredentialsDto;

  @IsOptional()
  @IsIn(['interactive', 'batch', 'inference', 'system'])
  session_type?: SessionType;

  /** Slot → amount, such as `{"cpu": "1", "mem": "512m"}`. */
  @IsNotEmptyObject()
  @IsStringMap({ maxEntries: 64, maxValueLength: 64 })
  resource_slots!: Record<string, string | number>;

  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(Number.MAX_SAFE_INTEGER)
  shmem_bytes?: number;

  @IsOptional()
  @IsStringMap({ maxEntries: 1_000, maxValueLength: 131_072 })
  environ?: Record<string, string | number>;

  @IsOptional()
  @IsArray()
  @ArrayMaxSize(256)
  @ValidateNested({ each: true })
  @Type(() => MountDto)
  mounts?: MountDto[];

  @IsOptional()
  @IsString()
  @MaxLength(SCRIPT_MAX)
  bootstrap_script?: string;

  @IsOptional()
  @IsArray()
  @ArrayMaxSize(64)
  @ValidateNested({ each: true })
  @Type(() => DotfileDto)
  dotfiles?: DotfileDto[];

  @IsOptional()
  @IsArray()
  @ArrayMaxSize(64)
  @IsInt({ each: true })
  @Min(1, { each: true })
  @Max(65_535, { each: true })
  preopen_ports?: number[];

  @IsOptional()
  @IsBoolean()
  block_service_ports?: boolean;
}
