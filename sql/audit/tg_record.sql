-- audit.tg_record - records every change of a row in the audit log, for tables that change seldom.
set local role leads_audit;

create or replace function audit.tg_record()
returns trigger language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_entity text := tg_argv[0];
  v_key text := tg_argv[1];
  v_left_out text[] := coalesce(tg_argv[2:], '{}');
  v_old jsonb := to_jsonb(old);
  v_new jsonb := to_jsonb(new);
  v_row jsonb := coalesce(v_new, v_old);
  v_diff text;
  v_action text := case tg_op when 'INSERT' then 'created' when 'UPDATE' then 'updated' else 'deleted' end;
begin
  with field as (
    select
      a.attnum as position,
      a.attname as name,
      case
        when a.atttypid = 'timestamptz'::regtype then to_jsonb(app.utc_text((v_old ->> a.attname)::timestamptz))
        -- 4 bytes show that the secret was replaced, and no more.
        when a.attname in ('digest', 'credential', 'secret') then to_jsonb(left(v_old ->> a.attname, 10))
        when a.attname = 'url' then to_jsonb(substring(v_old ->> a.attname, '^[^:/?#]+://[^/?#]+'))
        else nullif(v_old -> a.attname, 'null')
      end as old_value,
      case
        when a.atttypid = 'timestamptz'::regtype then to_jsonb(app.utc_text((v_new ->> a.attname)::timestamptz))
        -- A bound secret of a webhook is the same secret, which a worker has sealed again.
        when a.attname = 'secret' and v_new ->> 'secret_is_bound' = 'true' then to_jsonb(left(v_old ->> a.attname, 10))
        when a.attname in ('digest', 'credential', 'secret') then to_jsonb(left(v_new ->> a.attname, 10))
        when a.attname = 'url' then to_jsonb(substring(v_new ->> a.attname, '^[^:/?#]+://[^/?#]+'))
        else nullif(v_new -> a.attname, 'null')
      end as new_value
    from pg_catalog.pg_attribute as a
    where
      a.attrelid = tg_relid
      and a.attnum > 0
      and not a.attisdropped
      and a.attname not in ('organization_id', 'id', 'created_at')
      and (a.attname not in ('digest', 'credential', 'secret') or tg_op = 'UPDATE')
      and a.attname <> all (v_left_out)
  )
  select string_agg(
    concat(to_json(f.name), ':', json_build_object('from', f.old_value, 'to', f.new_value)), ',' order by f.position
  )
  into v_diff
  from field as f
  where f.old_value is distinct from f.new_value;
  if tg_op = 'UPDATE' and v_diff is null then
    return null;
  end if;

  if v_new ->> 'rotated_from' is not null and tg_op = 'INSERT' then
    v_action := 'rotated';
  elsif v_new ->> 'revoked_at' is not null and v_old ->> 'revoked_at' is null and tg_op = 'UPDATE' then
    v_action := 'revoked';
  end if;

  perform audit.write_event(
    (v_row ->> 'organization_id')::uuid,
    v_entity || '.' || v_action,
    (v_row ->> 'lead_id')::uuid,
    concat(to_json(v_entity || case when v_key = 'id' then '_id' else '' end), ':', v_row -> v_key, ',"diff":{', v_diff, '}')
  );
  return null;
end $$;

comment on function audit.tg_record() is
$$Trigger: writes <entity>.created, .updated or .deleted with a diff of the row's columns; for a key also .rotated and .revoked.

Arguments: the name of the entity, the column that identifies the row, and columns that the diff leaves out. The diff always
leaves out organization_id, id and created_at. It shows the first 4 bytes of a digest, credential or secret if it was
replaced, and of a column url the scheme and the host: the rest may be a secret.
The function reads the row as JSON, which is slow: it is for tables that change seldom.$$;

grant execute on function audit.tg_record() to leads_owner, leads_auth;
