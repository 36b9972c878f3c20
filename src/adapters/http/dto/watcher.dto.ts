import { IsBoolean, IsOptional, IsString, Matches, MaxLength, MinLength } from 'class-validator';

const MAX_TEXT = 1024;
const PRINTABLE = /^[^\p{Cc}]*$/u;

/** Body of `DELETE /mounts` (state.md §9.3). */
export class UnmountDto {
  @IsString()
  @MinLength(1)
  @MaxLength(MAX_TEXT)
  name!: string;

  @IsOptional()
  @IsBoolean()
  edit_fstab?: boolean;

  /** Only this machine's own fstab is ever edited: another path is refused (state.md §10 W-W1). */
  @IsOptional()
  @Matches(/^\/etc\/fstab$/, { message: 'fstab_path must be /etc/fstab' })
  fstab_path?: string;
}

/** Body of `POST /mounts`. */
export class MountVolumeDto extends UnmountDto {
  @IsString()
  @Matches(/^[^-\s\p{Cc}][^\p{Cc}]{0,1023}$/u, { message: 'fs_location must be a host:/path or a device' })
  fs_location!: string;

  @IsOptional()
  @Matches(/^[a-z0-9][a-z0-9._-]{0,31}$/, { message: 'fs_type must be the name of a file system, such as nfs' })
  fs_type?: string;

  @IsOptional()
  @IsString()
  @MaxLength(MAX_TEXT)
  @Matches(PRINTABLE, { message: 'options must be printable text' })
  options?: string;
}

/** Query of `GET /fstab`. */
export class FstabQueryDto {
  @IsOptional()
  @Matches(/^\/etc\/fstab$/, { message: 'fstab_path must be /etc/fstab' })
  fstab_path?: string;
}
