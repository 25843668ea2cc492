-- api.list_keys - GET /keys.
set local role leads_exec;

create or replace function api.list_keys("limit" api.page_size default 50, cursor api.cursor default null)
returns api.answer language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('admin');
  -- One row more than the page tells whether there is a next one.
  v_rows integer := list_keys.limit + 1;
  v_at timestamptz;
  v_id uuid;
begin
  select b.created_at, b.id into v_at, v_id from app.page_bound(list_keys.cursor, null) as b;
  return app.page_answer(
    array(
      select row_to_json(api.key_item(k.organization_id, k.id, null))::text
      from auth.api_key as k
      where
        k.organization_id = v_organization_id
        -- A key of a form lacks it.
        and 'read' = any (k.scopes)
        and (k.created_at, k.id) < (v_at, v_id)
      order by k.created_at desc, k.id desc
      limit v_rows
    ),
    list_keys.limit
  );
end $$;

comment on function api.list_keys(api.page_size, api.cursor) is
$$List the API keys.

The newest comes first. Revoked and expired keys stay in the list. The keys themselves are not stored, so key is null. The
tokens of forms are not listed.$$;

grant execute on function api.list_keys(api.page_size, api.cursor) to leads_api;

set local role leads_owner;
call api.document('api.list_keys', tag => 'Keys', answer => 'api.key');
