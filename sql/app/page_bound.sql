-- app.page_bound - the upper bound (created_at, id) of a page, exclusive.
set local role leads_owner;

-- In the same transaction, so that the previous release finds a function at any time.
drop function if exists app.page_bound(api.cursor, timestamptz);

create or replace function app.page_bound(cursor text, end_at timestamptz, out created_at timestamptz, out id uuid)
returns record language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp
as $$
declare
  v_content text;
begin
  -- Above every row.
  created_at := 'infinity';
  id := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
  if page_bound.cursor is not null then
    -- As api.is_cursor has checked: each part has its place, and the time ends with Z.
    v_content := app.cursor_content(page_bound.cursor);
    created_at := substr(v_content, 16, 24);
    id := substr(v_content, 48, 36);
  end if;
  -- end_at is exclusive: the bound is the smallest possible id at that time.
  if page_bound.end_at <= created_at then
    created_at := page_bound.end_at;
    id := '00000000-0000-0000-0000-000000000000';
  end if;
end $$;

comment on function app.page_bound(text, timestamptz) is
  'The lower one of the cursor''s row and end_at, exclusive. If both are null, it is above every row.';

grant execute on function app.page_bound(text, timestamptz) to leads_exec, leads_jobs;
