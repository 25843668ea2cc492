-- app.page_bound - the upper bound (created_at, id) of a page, exclusive.
set local role leads_owner;

create or replace function app.page_bound(cursor api.cursor, end_at timestamptz, out created_at timestamptz, out id uuid)
returns record language sql immutable parallel safe
set timezone = 'UTC'
begin atomic
  with bound as (
    select (c.content ->> 'created_at')::timestamptz as created_at, (c.content ->> 'id')::uuid as id
    from (
      select convert_from(
        decode(
          translate(page_bound.cursor, '-_', '+/') || repeat('=', (4 - char_length(page_bound.cursor) % 4) % 4),
          'base64'
        ),
        'UTF8'
      )::json as content
    ) as c
    where page_bound.cursor is not null
    union all
    -- end_at is exclusive: the bound is the smallest possible id at that time.
    select page_bound.end_at, '00000000-0000-0000-0000-000000000000'
    where page_bound.end_at is not null
    union all
    select 'infinity', 'ffffffff-ffff-ffff-ffff-ffffffffffff'
  )
  select bound.created_at, bound.id from bound order by bound.created_at, bound.id limit 1;
end;

comment on function app.page_bound(api.cursor, timestamptz) is
  'The lower one of the cursor''s row and end_at, exclusive. If both are null, it is above every row.';

grant execute on function app.page_bound(api.cursor, timestamptz) to leads_exec;
