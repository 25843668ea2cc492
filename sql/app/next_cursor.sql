-- app.next_cursor - the cursor of the page after a page.
set local role leads_owner;

create or replace function app.next_cursor(items text[], page_size integer)
returns text language sql stable parallel safe
begin atomic
  select case when next_cursor.items[next_cursor.page_size + 1] is not null then
    -- The base64 of these characters has neither + nor /. encode() breaks lines.
    rtrim(
      replace(
        encode(
          convert_to(
            '{"created_at":"' || (next_cursor.items[next_cursor.page_size]::json ->> 'created_at')
              || '","id":"' || (next_cursor.items[next_cursor.page_size]::json ->> 'id') || '"}',
            'UTF8'
          ),
          'base64'
        ),
        E'\n', ''
      ),
      '='
    )
  end;
end;

comment on function app.next_cursor(text[], integer) is
$$Unpadded base64url (RFC 4648, section 5) of compact JSON with created_at and id of the last row of the page.

items: the rows as JSON, in order; one more than page_size if there is a next page. Null: there is none.$$;

grant execute on function app.next_cursor(text[], integer) to leads_exec;
