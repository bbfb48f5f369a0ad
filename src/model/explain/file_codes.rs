//! What the codes mean that refuse a file.

use super::Owner::{Operator, Sender};
use super::Words;

pub(super) const FEED_UNKNOWN: Words = Words {
    meaning: "The file's name belongs to no feed of this issuer, or to more than one.",
    cause: "The file was named otherwise than agreed or dropped in another issuer's place, or two feeds of the \
            configuration claim the same names.",
    remedy: "Send the file again under the agreed name, in the issuer's own place.",
    owner: Sender,
};

pub(super) const FILE_EMPTY: Words = Words {
    meaning: "The file has no bytes, or nothing was sealed in it.",
    cause: "The export wrote nothing, or the upload stopped before its first byte.",
    remedy: "Send the file again with its content; where there are no records, send the header, the column line and a \
             trailer that counts 0.",
    owner: Sender,
};

pub(super) const FILE_TOO_LARGE: Words = Words {
    meaning: "The file is larger than the limit.",
    cause: "More was put into one file than is taken at a time.",
    remedy: "Split the file and send each part under its own batch id or sequence.",
    owner: Sender,
};

pub(super) const TOO_MANY_RECORDS: Words = Words {
    meaning: "The file has more records than the limit.",
    cause: "More was put into one file than is taken at a time.",
    remedy: "Split the file and send each part under its own batch id or sequence.",
    owner: Sender,
};

pub(super) const ENVELOPE_REFUSED: Words = Words {
    meaning: "The file is not sealed in a way that this feed takes, or its envelope is malformed or cut.",
    cause: "The file was sent as plain text, sealed with another format than agreed, changed in transfer (text mode), or \
            its upload stopped early.",
    remedy: "Seal the file in the agreed format and send it again, in binary mode and to its end.",
    owner: Sender,
};

pub(super) const ALGORITHM_REFUSED: Words = Words {
    meaning: "The envelope uses an algorithm or an option that is not taken.",
    cause: "The sealing software is set to an algorithm that is weak or not agreed, or to compression before encryption.",
    remedy: "Seal the file with RSA-OAEP-256 or ECDH-ES and A256GCM, without compression (as Mastercard payload encryption: with \
             the agreed oaep_hash), and send it again.",
    owner: Sender,
};

pub(super) const KEY_UNKNOWN: Words = Words {
    meaning: "The file is sealed for a key that is not among this feed's keys.",
    cause: "The sender used an old key, the key of another feed or environment, or a key id nobody agreed on.",
    remedy: "Seal the file for the feed's current public key and send it again; ask the operator for the key if in doubt.",
    owner: Sender,
};

pub(super) const CRYPTO_ERROR: Words = Words {
    meaning: "The file could not be decrypted, or its integrity check failed.",
    cause: "The file was damaged or altered after it was sealed, or it was sealed for another key than it names. Mastercard \
            payload encryption cannot tell damage from a mistake in the text, so that any mistake looks like this unless the \
            trailer gives the digest.",
    remedy: "Seal the file afresh for the feed's current public key and send it again in binary mode.",
    owner: Sender,
};

pub(super) const SIGNATURE_MISSING: Words = Words {
    meaning: "The file is not signed, and this feed takes only signed files.",
    cause: "Signing was left out when the file was made.",
    remedy: "Sign the file with the agreed key and send it again.",
    owner: Sender,
};

pub(super) const SIGNATURE_INVALID: Words = Words {
    meaning: "The file's signature does not verify with the agreed key.",
    cause: "The file was signed with another key, or changed after it was signed.",
    remedy: "Sign the file with the agreed key, change nothing after that, and send it again.",
    owner: Sender,
};

pub(super) const ENCODING_INVALID: Words = Words {
    meaning: "The text of the file is not UTF-8.",
    cause: "The export wrote UTF-16 or a national code page, or the text was damaged.",
    remedy: "Export the file as UTF-8 and send it again.",
    owner: Sender,
};

pub(super) const FORMAT_INVALID: Words = Words {
    meaning: "The text of the file does not have the structure of its format.",
    cause: "A line has too few or too many fields, a quote is not closed, an empty line stands between records, a value \
            has the wrong type, or a header or trailer field is malformed.",
    remedy: "Correct the line that the ack names and send the file again.",
    owner: Sender,
};

pub(super) const COLUMN_MISSING: Words = Words {
    meaning: "The file has no column line, or the column line lacks a column that this service needs.",
    cause: "The export left the column or the whole line out.",
    remedy: "Add the column that the ack names and send the file again.",
    owner: Sender,
};

pub(super) const COLUMN_UNKNOWN: Words = Words {
    meaning: "The column line names a column that this service does not know.",
    cause: "A column is misspelt, in capital letters or padded with blanks, the delimiter is another than agreed, or the \
            export writes more than was agreed.",
    remedy: "Correct or leave out the column and send the file again.",
    owner: Sender,
};

pub(super) const SAD_PRESENT: Words = Words {
    meaning: "The file names a column of sensitive authentication data: a card verification code, a PIN or track data.",
    cause: "The export includes data that must not be sent and must not be kept.",
    remedy: "Leave the column out for good, delete every copy of the export, and send the file again without it.",
    owner: Sender,
};

pub(super) const HEADER_MISSING: Words = Words {
    meaning: "The file does not begin with a header, which this feed requires.",
    cause: "The export left the HDR line out, or something stands before it.",
    remedy: "Put the HDR line first and send the file again.",
    owner: Sender,
};

pub(super) const HEADER_MISMATCH: Words = Words {
    meaning: "The header does not agree with the feed: another issuer, service or environment, or no sequence number \
              where the feed counts.",
    cause: "The file was dropped in another place or environment than it was made for, or its header was filled in wrongly.",
    remedy: "Send the file to the place it was made for, or correct its header and send it again.",
    owner: Sender,
};

pub(super) const VERSION_UNSUPPORTED: Words = Words {
    meaning: "The header names a version of the contract other than 1.",
    cause: "The file was made for another version of the contract, or its header was filled in wrongly.",
    remedy: "Write the file by version 1 of the contract, name 1 in the header, and send it again.",
    owner: Sender,
};

pub(super) const TRAILER_MISSING: Words = Words {
    meaning: "The file ends without a trailer, or within a record.",
    cause: "The upload stopped early, or the export left the TRL line out.",
    remedy: "Send the whole file again, with its trailer as the last line.",
    owner: Sender,
};

pub(super) const COUNT_MISMATCH: Words = Words {
    meaning: "The trailer counts another number of records than the file has.",
    cause: "Records were lost or added after the trailer was made, or the header or column line was counted along.",
    remedy: "Make the file again, count its records alone in the trailer, and send it.",
    owner: Sender,
};

pub(super) const DIGEST_MISMATCH: Words = Words {
    meaning: "The SHA-256 in the trailer is not that of the bytes before the trailer.",
    cause: "The text was changed after the digest was made, often by a change of line endings or encoding.",
    remedy: "Compute the digest over every byte before the TRL line, line endings included, and send the file again.",
    owner: Sender,
};

pub(super) const DUPLICATE_FILE: Words = Words {
    meaning: "The same file was accepted before: same batch id, same sequence, same content.",
    cause: "The file was sent twice; nothing was done a second time, and the first file's answers are delivered again.",
    remedy: "Do nothing if the file was sent again for its answers; otherwise send the file that was meant.",
    owner: Sender,
};

pub(super) const BATCH_REUSED: Words = Words {
    meaning: "The batch id and sequence were used before by a file with other content.",
    cause: "The sender's counter did not move on, or an accepted file was changed and sent again.",
    remedy: "Send the file again under a batch id or sequence of its own.",
    owner: Sender,
};

pub(super) const DUPLICATE_CONTENT: Words = Words {
    meaning: "The same content was accepted before under another batch id or sequence.",
    cause: "An old export was sent again with its header left as it was, or one export was sent for two batches.",
    remedy: "Find out with the sender whether the records are meant to be taken twice: if so, release the file; if not, \
             have the right file sent.",
    owner: Operator,
};

pub(super) const SEQUENCE_GAP: Words = Words {
    meaning: "A file with an earlier sequence number has not come.",
    cause: "Files were sent out of order, one was lost or refused, or a number was skipped.",
    remedy: "Send the missing files first, from the sequence number that the ack names, then this one again.",
    owner: Sender,
};

pub(super) const SEQUENCE_OLD: Words = Words {
    meaning: "The sequence number is lower than the next one expected.",
    cause: "A late file came after its successors, or the sender's counter was set back.",
    remedy: "Send the file again under the sequence number that the ack names as the next.",
    owner: Sender,
};

pub(super) const POISONED: Words = Words {
    meaning: "Processing the file ended the process several times, so the file was set aside.",
    cause: "The file meets a defect in nightdrop; none of its records was registered.",
    remedy: "Keep the file and the log, report the defect, and process the file with a version that mends it.",
    owner: Operator,
};
