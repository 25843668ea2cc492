-- app.csv_faults - the errors of the header of a CSV file.
set local role leads_owner;

create or replace function app.csv_faults("row" text, has_created_at boolean)
returns json language plpgsql stable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select json_agg(
      json_build_object(
        'field', left(c.name, 100),
        'code', case when c.name like 'details.%' then 'invalid_name' else 'unknown_column' end,
        'detail', case
          when c.name like 'details.%' then
            'A name must be 1 to 64 characters out of a-z, 0-9 and _, beginning with a letter, after "details.".'
          else format(
            'There is no such column. The columns are %s%s, and details.NAME for each detail.',
            (select string_agg(f.name, ', ' order by f.name) from app.lead_field as f where f.name <> 'details'),
            case when csv_faults.has_created_at then ', created_at' end
          )
        end
      )
      order by octet_length(c.name), c.name collate "C"
    )
    from (select k.key from json_object_keys(csv_faults."row"::json) as k (key) limit 200) as c (name)
    where
      c.name collate "C" !~ '^details\.[a-z][a-z0-9_]{0,63}$'
      and not exists (select from app.lead_field as f where f.name = c.name and f.name <> 'details')
      and not (csv_faults.has_created_at and c.name = 'created_at')
  );
end $$;

comment on function app.csv_faults(text, boolean) is
  'A JSON array with the errors of the columns of a file; null if there is none. row: a row of the file as a JSON object with '
  'all columns. has_created_at: whether the file can have the column created_at.';

grant execute on function app.csv_faults(text, boolean) to leads_exec, leads_jobs;
