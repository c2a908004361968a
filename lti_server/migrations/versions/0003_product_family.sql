-- What a platform called itself last, in a signed launch or at its registration (tool_platform.product_family_code);
-- empty where it never did. Services are called when no launch is at hand, so it is kept. Nothing about a person.
ALTER TABLE registration ADD COLUMN product_family text NOT NULL DEFAULT '';
