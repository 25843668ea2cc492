-- audit.unpublish_rows - drops the publication of a move.
set local role leads_owner;

create or replace function audit.unpublish_rows(organization_id uuid)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
begin
  execute format(
    'drop publication if exists %I', 'leads_move_' || translate(unpublish_rows.organization_id::text, '-', '')
  );
end $$;

comment on function audit.unpublish_rows(uuid) is 'Drops the publication that audit.publish_rows has created, if it exists.';

grant execute on function audit.unpublish_rows(uuid) to leads_jobs;
