-- audit.publish_rows - creates the publication of a move.
set local role leads_owner;

create or replace function audit.publish_rows(organization_id uuid, relations text[])
returns text language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_name text := 'leads_move_' || translate(publish_rows.organization_id::text, '-', '');
begin
  if exists (select from pg_catalog.pg_publication as p where p.pubname = v_name) then
    return v_name;
  end if;
  -- Two movers: the second one waits here for the unique index of the catalogue, and gets 42710.
  execute format(
    'create publication %I for table %s with (publish = ''insert, update, delete'', publish_via_partition_root = true)',
    v_name,
    (
      select string_agg(
        format('only %s where (organization_id = %L::uuid)', c.oid::regclass, publish_rows.organization_id), ', '
        order by r.position
      )
      from unnest(publish_rows.relations) with ordinality as r (name, position)
      join pg_catalog.pg_class as c on c.oid = r.name::regclass
    )
  );
  return v_name;
exception
  when insufficient_privilege then
    raise sqlstate 'PT409' using
      message = 'cell_not_prepared',
      hint = format(
        'The role leads_owner can''t create a publication in this database. As its owner or as a superuser, run: '
        'grant create on database %I to leads_owner',
        current_database()
      );
end $$;

comment on function audit.publish_rows(uuid, text[]) is
$$Creates the publication leads_move_<the organization's id without hyphens>, unless it exists, and returns its name.

It has the organization's rows of these tables, and no other's. Only the owner of the tables can publish them. Raises PT409
cell_not_prepared if the owner may not create a publication in the database.$$;

grant execute on function audit.publish_rows(uuid, text[]) to leads_jobs;
